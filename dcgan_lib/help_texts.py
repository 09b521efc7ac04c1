"""What ``dcgan --help`` says, in the reader's language.

What belongs here: the words on each option in English and in Japanese, the examples, and which of the two is read.
Nothing of what the options do.
"""

import argparse
import locale
import os
import sys
import unicodedata
from typing import NamedTuple


class Words(NamedTuple):
    """The same in both languages."""

    english: str
    japanese: str

    def __str__(self) -> str:
        return self.japanese if reads_japanese() else self.english


TITLE = Words(
    "Train a DCGAN, generate images with it, and measure how good they are.",
    "DCGAN を学習し、画像を生成し、その良さを測ります。",
)
OPTIONS = Words("options", "オプション")
USAGE = Words("usage: ", "使い方: ")
EXAMPLES = Words(
    """\
examples:
  dcgan --mode train                                  learn MNIST's digits, into out/
  dcgan --mode train --path ~/images --steps 6000     learn images of your own
  dcgan --mode train --resume --steps 3000            go on with the run in out/, to 3,000 steps in all
  dcgan --mode generate --batch_size 64 --nice        64 images, the best 5 % of 1,280
  dcgan --mode measure                                compare generated digits with real ones""",
    """\
例:
  dcgan --mode train                                  MNIST の数字を学習し、out/ に置く
  dcgan --mode train --path ~/images --steps 6000     自分の画像を学習する
  dcgan --mode train --resume --steps 3000            out/ の学習を、合わせて 3,000 ステップまで続ける
  dcgan --mode generate --batch_size 64 --nice        64 枚。1,280 枚を作り、評価の高い 5 % を残す
  dcgan --mode measure                                生成した数字を本物と比べる""",
)

HELP = {  # by the option's name; a value in brackets is what holds where nothing is said
    "help": Words("show this and end", "この説明を表示して終わる"),
    "mode": Words("what to do", "何をするか: 学習、生成、測定"),
    "batch_size": Words(
        "train: images in a batch (64, or all where there are fewer); generate: how many images to make ({count}); "
        "measure: how many to measure ({measured}; stacked digits: {counted})",
        "train: 一度に使う画像の数 (64、それより少なければ全部)。generate: 作る枚数 ({count})。measure: 測る枚数 "
        "({measured}、重ねた数字なら {counted})",
    ),
    "nice": Words(
        "generate, measure: 20 times as many, of which the discriminator's best 5 %% are kept",
        "generate, measure: 20 倍の枚数を作り、識別器の評価が高い 5 %% を残す",
    ),
    "files": Words(
        "generate: each image into a file of its own, in generated/",
        "generate: 画像を一枚ずつ generated/ のファイルに書く",
    ),
    "path": Words(
        "train: a folder of images, a .npy or .npz file of them, uint8 (n, height, width[, 1, 3 or 4]), or an .npz "
        "file of MNIST (MNIST); measure: the last",
        "train: 画像のフォルダー、画像の配列 uint8 (枚数, 高さ, 幅[, 1, 3, 4]) の .npy か .npz ファイル、"
        "または MNIST の .npz ファイル (MNIST)。measure: 最後のもの",
    ),
    "model": Words(
        "the source's networks or the paper's (dcgan)", "元のプログラムのネットワークか、論文のネットワーク (dcgan)"
    ),
    "loop": Words(
        "train: the source's loop or Keras's fit (fit)", "train: 元のプログラムのループか、Keras の fit (fit)"
    ),
    "epochs": Words("train: times through all images", "train: すべての画像を何回使うか"),
    "steps": Words("train: batches (1200)", "train: 何バッチ学習するか (1200)"),
    "image_size": Words(
        "28, 32, 64 or 128 (MNIST and arrays of 28 x 28: 28, others: 32; original: 28)",
        "28、32、64、128 (MNIST と 28 x 28 の配列は 28、ほかは 32。original は 28)",
    ),
    "channels": Words(
        "1: grey, 3: colour (as the images are; original: 1)", "1: 白黒、3: カラー (画像に合わせる。original は 1)"
    ),
    "fit": Words(
        "train: what makes images square, their middle or a border (crop)",
        "train: 画像を正方形にする方法。crop は中央を切り出し、pad は余白を足す (crop)",
    ),
    "flip": Words(
        "train: show about half of the images mirrored, others each time",
        "train: およそ半分の画像を、毎回選び直して左右に裏返す",
    ),
    "augment": Words(
        "train: show the discriminator all images, generated ones too, shifted and with a piece cut out: for few "
        "images",
        "train: 識別器に見せる画像を、生成画像も含めて、ずらして一部を切り抜く。画像が少ないときに",
    ),
    "width": Words(
        "dcgan: channels of the hidden layer next to the image (32; the paper: 128)",
        "dcgan: 画像の隣にある隠れ層のチャネル数 (32、論文は 128)",
    ),
    "hidden": Words(
        "dcgan: units of a dense layer in both networks; 0: none, as in the paper (28 pixels: 384, else 0)",
        "dcgan: 両方のネットワークに入れる全結合層の大きさ。0 なら論文と同じく無し (28 画素では 384、ほかは 0)",
    ),
    "depth": Words(
        "dcgan: convolutions that halve or double the side (28, 32, 64, 128 pixels: 2, 3, 4, 5)",
        "dcgan: 一辺を半分、または倍にする畳み込みの数 (28、32、64、128 画素で 2、3、4、5)",
    ),
    "learning_rate": Words(
        "train: of both optimizers (dcgan: Adam 0.001; original: SGD 0.0005)",
        "train: 二つの最適化手法の学習率 (dcgan は Adam で 0.001、original は SGD で 0.0005)",
    ),
    "g_learning_rate": Words(
        "train: of the generator's optimizer (as --learning_rate; with a hidden layer 0.002)",
        "train: 生成器の学習率 (--learning_rate と同じ。隠れた全結合層があれば 0.002)",
    ),
    "falling": Words(
        "train: let both rates fall to 0 over the second half of all steps",
        "train: 後半のステップで、どちらの学習率も 0 まで下げる",
    ),
    "average": Words(
        "train: how much the mean of the generator's weights, which is what is kept, remembers at each step; 0: only "
        "the last weights (dcgan: 0.999; original: 0)",
        "train: 残すのは生成器の重みの移動平均で、一ステップごとにこの割合だけ前の値を残す。"
        "0 なら最後の重みだけ (dcgan は 0.999、original は 0)",
    ),
    "precision": Words(
        "train: what networks compute with; auto: bfloat16 where the device has it (dcgan: auto; original: float32)",
        "train: 計算の精度。auto は、bfloat16 の命令があればそれを使う (dcgan は auto、original は float32)",
    ),
    "devices": Words(
        "train: compute on one device or on all of this machine, GPUs where there are any (one); with the environment "
        "variable TF_CONFIG on several machines",
        "train: 一つのデバイスで計算するか、このマシンの全部を使うか。GPU があれば GPU を使う (one)。"
        "環境変数 TF_CONFIG があれば、複数のマシンで計算する",
    ),
    "batch_norm": Words(
        "train, on several devices: statistics of the whole batch, or of each device's share (synchronized)",
        "train、複数のデバイスで: バッチ正規化の統計を、バッチ全体で取るか、デバイスごとに取るか (synchronized)",
    ),
    "seed": Words(
        "train, measure: 0; generate: a new one each time", "乱数の種 (train, measure: 0、generate: 毎回新しい値)"
    ),
    "out": Words("where all files go ({out}/)", "すべてのファイルの置き場所 ({out}/)"),
    "resume": Words("train: go on with the run in --out", "train: --out の学習を続ける"),
    "changed_images": Words(
        "train, with --resume: go on although images were added, changed or taken away",
        "train、--resume とともに: 画像が増えたり、変わったり、減ったりしていても続ける",
    ),
}


def reads_japanese() -> bool:
    """Whether the reader's settings say Japanese, and the terminal can show it."""
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    named = next(filter(None, variables), None) or locale.getlocale()[0] or ""
    try:
        str(OPTIONS.japanese).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return named.lower().startswith(("ja", "japanese"))


class Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's help, whose lines are broken by columns: a Japanese character takes two, and may begin a line."""

    def add_usage(self, usage, actions, groups, prefix=None):
        super().add_usage(usage, actions, groups, prefix or str(USAGE))

    def _split_lines(self, text: str, width: int) -> list[str]:
        lines, words = [""], [""]
        for character in " ".join(text.split()):
            if character == " " or _columns(character) == 2:
                words += [character, ""]
            else:
                words[-1] += character
        for word in words:
            opens_no_line = word in ("、", "。", ")", "）", " ")
            if _columns(lines[-1] + word) > width and not opens_no_line:
                lines.append("")
            lines[-1] += word
        return [line.strip() for line in lines]


def _columns(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(character) in "FW") for character in text)
