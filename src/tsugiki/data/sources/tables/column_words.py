"""What columns of tables are called by competitions, labelling tools and spreadsheets, and what their cells say."""

from __future__ import annotations

from tsugiki.data.sources.split_words import words_in

PATHS = words_in(
    "file_name filename file filepath file_path image_path img_path image_file image_name img_name "
    "image_id img_id imageid image img photo picture name fname id uuid path_to_image photo_id file_id id_code code "
    "パス ファイルパス ファイル名 ファイル 画像 画像名 画像ファイル 画像ファイル名 画像パス "
    "写真 写真名 写真ファイル 文件名 图片 "
)
LABELS = words_in(
    "class class_name classname label_name category category_name target target_name breed species "
    "diagnosis dx variety labels predictionstring tag tags choice ground_truth y "
    "ラベル ラベル名 正解 正解ラベル クラス クラス名 分類 分類名 種類 種別 品種 カテゴリ カテゴリー 判定 判定結果 タグ "
    "种类 类别 标签 "
)
NUMBERED_LABELS = words_in("class_id classid label_id category_id target_id label_idx class_index ")
SEVERAL_LABELS = words_in("classes categories genres genre attributes attribute_ids class_names label_names ジャンル ")
"""What columns of several labels are called, where there is none of the others."""

SPLITS = words_in(
    "splits subset set partition phase usage data_split split_name dataset dataset_split 分割 用途 データ区分 学習区分 "
)
YES_SAYS = {
    "is_valid": ("val", "train"),
    "is_val": ("val", "train"),
    "is_validation": ("val", "train"),
    "is_test": ("test", "train"),
    "is_train": ("train", "test"),
    "is_training": ("train", "test"),
    "is_training_img": ("train", "test"),
}
GROUPS = words_in(
    "patient_id patientid patient subject_id subjectid subject person_id person participant_id lesion_id "
    "case_id animal_id individual_id individual video_id video sequence_id session_id specimen_id "
    "group_id 患者 患者id 患者番号 被験者 被験者id 被験者番号 症例 症例id 症例番号 個体 個体id 個体番号 "
)

NO_CLASSES = words_in(
    "width height size channels format mode age year date time datetime timestamp created_at updated_at lead_time "
    "annotator annotation_id user source url license credit x y w h xmin ymin xmax ymax x1 y1 x2 y2 "
    "幅 高さ サイズ 日付 日時 撮影日 撮影者 担当者 作業者 備考 "
)
"""Columns of photos that are no classes, however few their values are."""

TRUTHS = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}

NOT_SAID = frozenset({"", "-1", "-1.0", "nan", "<na>", "none", "null", "n/a", "na", "?"})
"""What columns of 0 and 1 have where nobody knows."""

NO_SPLIT = frozenset({"unassigned", "unspecified", "none", "null", "nan", "n/a", "na", "-", "未割当", "なし"})
"""What tables say of photos that nobody has put into a split."""
