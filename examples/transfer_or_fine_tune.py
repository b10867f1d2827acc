"""The first article, "転移学習とファインチューニング": what is frozen, what learns, and what each way costs and brings.

python examples/transfer_or_fine_tune.py                     the drawn sample and the bundled backbone: offline, minutes
python examples/transfer_or_fine_tune.py hymenoptera         photos and weights are fetched
python examples/transfer_or_fine_tune.py FOLDER [BACKBONE]   your own photos (train/CLASS, test/CLASS)
"""

# %% [markdown]
# # 転移学習とファインチューニング / Transfer learning and fine-tuning
#
# * **転移学習**: 追加・変更した層だけを学習します。 / **Transfer learning**: only new or changed layers learn.
# * **ファインチューニング**: すべての層を学習します。 / **Fine-tuning**: all layers learn.
#
# 記事の一覧をそのまま出したあと、ゼロからの学習も加えた 3 つの方法を、同じ写真・同じ `train` で比べます。
#
# First the article's listings, then three ways, training from scratch among them, on the same photos with the same `train`.

# %%
import sys
from pathlib import Path
from timeit import default_timer as timer

import torch
from torch import nn
from torchvision import transforms
from torchvision.models import resnet18

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.devices import pick_device
from tsugiki.data.loaders import PhotoLoader
from tsugiki.data.sources.data_sets import get_data
from tsugiki.data.synthetic.sample import sample_folder
from tsugiki.reporting.plots.comparison_plot import Contender, comparison_table, plot_comparison
from tsugiki.reporting.plots.figures import save_picture

in_notebook = "ipykernel" in sys.modules
arguments = [] if in_notebook else sys.argv[1:]
device = pick_device()
print(device)

# %% [markdown]
# ## 勾配の計算をする・しない / Which gradients are computed
#
# 読み込んだ直後は、すべて `requires_grad=True` です。このまま学習すればファインチューニングになります。
# (一覧を見るだけなので、ここでは重みは読み込みません。)
#
# A model as it was made has `requires_grad=True` everywhere: trained like this, it is fine-tuned.
# (To see the listing no weights are needed.)


# %%
def show_ends(model: nn.Module) -> None:
    """The first and last lines of the listing, as the article prints it."""
    rows = [f"weight name: {row.name}, param config: {row.trainable}" for row in tg.parameter_table(model).rows]
    print("\n".join([*rows[:3], "・・・・", *rows[-3:]]))


model = resnet18(weights=None)
show_ends(model)

# %% [markdown]
# `freeze` のあとは、すべて `False` です。 / After `freeze` all are `False`.

# %%
tg.freeze(model)
show_ends(model)

# %% [markdown]
# 最終層を取り替えると、そこだけが `True` です。これが転移学習の準備です。
#
# A replaced last layer is the only one that is `True`: ready for transfer learning.

# %%
tg.replace_head(model, 10)
show_ends(model)
print(tg.parameter_table(model).totals)

# %% [markdown]
# `unfreeze` で、ふたたびすべてが学習します。これがファインチューニングの準備です。
#
# After `unfreeze` everything learns again: ready for fine-tuning.

# %%
tg.unfreeze(model)
show_ends(model)

# %% [markdown]
# ## 3 つの方法を比べる / Three ways compared

# %%
if not arguments:
    image_path = sample_folder("foodvision")
else:
    image_path = Path(arguments[0]) if Path(arguments[0]).is_dir() else get_data(arguments[0])
train_dir = image_path / "train"
test_dir = next(folder for folder in (image_path / "test", image_path / "val") if folder.is_dir())
backbone_name = arguments[1] if len(arguments) > 1 else ("efficientnet_b0" if arguments else "bundled:nae")
backbone = load_backbone(backbone_name)
small = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
small_train, small_test, class_names = tg.create_dataloaders(train_dir, test_dir, small, batch_size=32)
full_train, full_test, class_names = tg.create_dataloaders(train_dir, test_dir, backbone.preprocess, batch_size=32)


# %%
def contend(name: str, model: nn.Module, loaders: tuple[PhotoLoader, PhotoLoader], *, lr: float, epochs: int) -> Contender:
    """Train ``model`` and measure it on the held-out photos."""
    print(f"\n{name}")
    tg.set_seeds(42)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=lr)
    start = timer()
    tg.train(model, *loaders, optimizer, nn.CrossEntropyLoss(), epochs, device)
    seconds = timer() - start
    return Contender.measured(name, model, tg.evaluate_model(model, loaders[1], nn.CrossEntropyLoss(), device), seconds)


# %% [markdown]
# ### ゼロから / From scratch
#
# TinyVGG (8,083 パラメータ、64 x 64 px) は、写真のことを何も知らずに始めます。
#
# TinyVGG, 8,083 parameters, starts knowing nothing about photos.

# %%
tg.set_seeds(42)
tiny = tg.TinyVGG(input_shape=3, hidden_units=10, output_shape=len(class_names))
scratch = contend("TinyVGG", tiny, (small_train, small_test), lr=0.001, epochs=15)

# %% [markdown]
# ### 転移学習 / Transfer learning
#
# バックボーンは凍結、ヘッドだけが学習します。 / The backbone is frozen, only the head learns.

# %%
tg.set_seeds(42)
grafted = nn.Sequential(tg.freeze(backbone), nn.Linear(backbone.num_features, len(class_names)))
transfer = contend("transfer learning / 転移学習", grafted, (full_train, full_test), lr=0.005, epochs=5)

# %% [markdown]
# ### ファインチューニング / Fine-tuning
#
# 転移学習を終えたモデルから始め、小さな学習率ですべての層を学習します。秒数は追加の分だけです。
#
# It starts from the model that transfer learning left, with a small learning rate for all layers. Its seconds come on top.

# %%
tg.unfreeze(grafted)
tuned = contend("fine-tuning / ファインチューニング", grafted, (full_train, full_test), lr=0.0001, epochs=3)

# %% [markdown]
# ### 結果 / The result
#
# 写真が少ないと、正解率には幅があります。区間が重なる 2 つの方法に、はっきりした差はありません。
# また、テスト写真で方法を選ぶと、その点数は甘くなります。実際に選ぶときは、訓練写真の一部での検証に任せてください
# (`tsugiki fit DATA --method auto`)。
#
# With few photos an accuracy is uncertain: two ways whose intervals overlap are not clearly different. And a way that is
# chosen by its score on the test photos has a score that flatters. To choose for real, let validation on the training
# photos decide (`tsugiki fit DATA --method auto`).

# %%
contenders = [scratch, transfer, tuned]
print(comparison_table(contenders))
figure = plot_comparison(contenders)
if not in_notebook:
    save_picture(figure, Path("pictures") / "transfer_or_fine_tune.png")
