"""The second article, "PyTorch転移学習", from its first to its last section, with tsugiki.

python examples/foodvision_mini.py                     the drawn sample and the bundled backbone: offline, a minute
python examples/foodvision_mini.py pizza_steak_sushi   the article's photos and EfficientNet-B0: fetches both
python examples/foodvision_mini.py FOLDER [BACKBONE]   your own photos (train/CLASS, test/CLASS)
"""

# %% [markdown]
# # FoodVision Mini: 転移学習 / transfer learning
#
# 記事「PyTorch転移学習 - 事前学習済みモデルで画像分類精度を劇的に向上させる」を、
# 最初の節から最後の節まで tsugiki でたどります。
# 引数なしなら、ネットワークなしで動きます (プログラムが描いた写真と、同梱のバックボーンを使います)。
# 数字は記事と違います。写真もバックボーンも小さいからです。
#
# This follows the article from its first to its last section. Without an argument it needs no network: the photos are drawn by
# the program and the backbone is the small bundled one, so the numbers are not the article's.

# %% [markdown]
# ## 0. 環境設定 / Setting up

# %%
import sys
from pathlib import Path
from timeit import default_timer as timer

import torch
from matplotlib.figure import Figure
from torch import nn
from torchvision import transforms

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.transforms import transforms_side_by_side
from tsugiki.core.devices import pick_device
from tsugiki.data.sources.data_sets import get_data
from tsugiki.data.synthetic.sample import draw_photo, sample_folder
from tsugiki.reporting.plots.batch_plot import plot_batch
from tsugiki.reporting.plots.figures import save_picture
from tsugiki.reporting.plots.predictions_plot import plot_predictions

in_notebook = "ipykernel" in sys.modules
arguments = [] if in_notebook else sys.argv[1:]
device = pick_device()  # CUDA, MPS or CPU, whatever is there / あるものを選びます
print(device)


# %%
def keep(figure: Figure, name: str) -> None:
    """Save a picture when this runs as a script; a notebook has shown it already."""
    if not in_notebook:
        save_picture(figure, Path("pictures") / f"foodvision_mini_{name}.png")


# %% [markdown]
# ## 1. データ取得 / Getting the photos
#
# `get_data` は、既にあれば再びダウンロードせず、壊れていないか確かめてから安全に解凍します。
#
# `get_data` fetches nothing that is there already, verifies what came and unpacks it safely.

# %%
if not arguments:
    image_path = sample_folder("foodvision")
elif Path(arguments[0]).is_dir():
    image_path = Path(arguments[0])
else:
    image_path = get_data(arguments[0])
train_dir, test_dir = image_path / "train", image_path / "test"

# %% [markdown]
# ## 2. DatasetsとDataLoadersの作成 / Datasets and DataLoaders
# ### 2.1 手動の変換 / Transforms by hand

# %%
manual_transforms = transforms.Compose(
    [
        transforms.Resize((224, 224)),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)
train_dataloader, test_dataloader, class_names = tg.create_dataloaders(
    train_dir=train_dir, test_dir=test_dir, transform=manual_transforms, batch_size=32
)
print(class_names)

# %% [markdown]
# ### 2.2 重みに付属する変換 / Transforms that belong to the weights
#
# 重みは自分の前処理を知っています。手書きの変換と並べると、違いが見えます。
#
# Weights know their own preprocessing. Side by side with the one made by hand, the differences show.

# %%
backbone_name = arguments[1] if len(arguments) > 1 else ("efficientnet_b0" if arguments else "bundled:nae")
backbone = load_backbone(backbone_name)
print(transforms_side_by_side(manual_transforms, backbone.preprocess))

# %%
train_dataloader, test_dataloader, class_names = tg.create_dataloaders(
    train_dir=train_dir, test_dir=test_dir, transform=backbone.preprocess, batch_size=32
)
keep(plot_batch(train_dataloader, count=6), "batch")

# %% [markdown]
# ## 3. 事前学習済みモデル / The pretrained model
#
# 記事の `model.features` がバックボーン、`model.classifier` がヘッドです。凍結する前の要約:
#
# The article's `model.features` is the backbone, its `model.classifier` the head. Before anything is frozen:

# %%
tg.set_seeds(42)
model = nn.Sequential()
model.add_module("features", backbone)
model.add_module("classifier", nn.Sequential(nn.Dropout(p=0.2), nn.Linear(backbone.num_features, len(class_names))))
model.to(device)
input_size = (32, 3, *backbone.preprocess.size)
before = tg.summary(model, input_size=input_size)
print(f"{before.trainable:,} of {before.total:,} parameters learn / 学習するパラメータ")

# %% [markdown]
# ### 3.4 ベースモデルの凍結 / Freezing the backbone
#
# `freeze` は `requires_grad=False` に加えて、BatchNorm の統計量も止めます。凍結したものは 1 ビットも変わりません。
#
# `freeze` stops the BatchNorm statistics too, not only the gradients: what is frozen does not change by one bit.

# %%
tg.freeze(backbone)
after = tg.summary(model, input_size=input_size, col_names=("output_size", "num_params", "trainable"))
print(after)

# %% [markdown]
# ## 4. モデル訓練 / Training
#
# 表示は記事と同じ形です。正解率はバッチの平均ではなく、写真の枚数で数えた正確な値です。
#
# The lines are the article's. The accuracies are exact: counted over photos, not averaged over batches.

# %%
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

tg.set_seeds(42)
start_time = timer()
results = tg.train(
    model=model,
    train_dataloader=train_dataloader,
    test_dataloader=test_dataloader,
    optimizer=optimizer,
    loss_fn=loss_fn,
    epochs=5,
    device=device,
    writer=None,
)
print(f"[INFO] 総訓練時間 / training time: {timer() - start_time:.1f} s")

# %% [markdown]
# ## 5. 損失曲線 / Loss curves

# %%
keep(tg.plot_loss_curves(results), "curves")

# %% [markdown]
# ## 6. テスト写真での予測 / Predictions on held-out photos
#
# 正解は青と ✓、間違いは朱と ✗ と点線の枠です。
#
# Right ones are blue with ✓; wrong ones vermilion with ✗ and a dashed frame.

# %%
keep(plot_predictions(model, test_dataloader, count=9, seed=42), "predictions")

# %% [markdown]
# ### 6.1 自分の写真での予測 / Your own photo
#
# 写真は訓練のときと同じように開かれます (向き、透明部分、16 ビット)。ここでは新しい寿司を 1 枚描いてみます。
#
# The photo is opened as in training: turned as its camera noted, transparency laid over white. Here a new one is drawn.

# %%
custom_image = draw_photo("sushi", 1000) if not arguments else next(test_dir.glob("*/*.jpg"))
figure = tg.pred_and_plot_image(model, custom_image, class_names, transform=backbone.preprocess, device=device)
keep(figure, "own_photo")
