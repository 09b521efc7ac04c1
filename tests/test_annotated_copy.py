"""The tables of the annotated copy leave out none of its lines, and name only cells that there are.

The copy itself is not part of the project, so its lines stand here as the beginnings of their SHA-256: lines of the
program without indentation and comments, and remarks as the tables quote them, up to a full stop.
"""

import hashlib
import re

import pytest

from notebook_tools import CELL_LINK, NOTEBOOKS, load, source

[TABLES] = [path for path in NOTEBOOKS if path.name[3:] == "the_annotated_copy_line_by_line.ipynb"]
REMARK = re.compile(r"「(.*?)」")
CODE = re.compile(r"`([^`]+)`")
ADDRESS = re.compile(r"\]\((http[^)\s]+)\)")

PROGRAM = {
    "import": (
        "e1b2ca71413d", "e2886466b8f8", "80a0b5b36a3b", "244efe6d17d5", "be2db3c486c9", "2311c68b9e46",
    ),
    "generator": (
        "e43f912cf419", "e1b2ca71413d", "31f9cd480ee2", "7bda3c1c3b56", "3f8327c4fbed", "3b8ff58125d8", "2639e345f3ca",
        "ef7f49cff34c", "9c9a2126f529", "45227e3d3fab", "2457f5e350ad",
    ),
    "discriminator": (
        "20ca10d9de09", "e1b2ca71413d", "5df6cb45b943", "53387ebe278d", "a7f5e73c035b", "a19f41c71adc", "ba5ec51d07a4",
        "7bda3c1c3b56", "2ab5b5bc9e2a", "8ba7d4884ee7", "2311c68b9e46", "b1d70018eb31", "84f89dced172", "3950a6ff70eb",
        "2457f5e350ad",
    ),
    "joined": (
        "4cfcfea421f3", "e1b2ca71413d", "3b62e72fcaae", "0b66cc1fc0b9", "86396f09b454", "2457f5e350ad",
    ),
    "combine": (
        "c23d1721172b", "1093e8fee0fe", "26b8548133a1", "d19835d2a114", "a7fd57ec783a", "7682ab3f9bfb", "58ab85ae478e",
        "f1e7bd673eed", "49e5cfb213ce", "9077bc9652a5", "b57af2e7f2d4", "4a3efb43b2d8", "7f338fdf6447",
    ),
    "train": (
        "e429c8f4ff0f", "e0d9e51a5dc8", "227a2c626f6a", "b7d82a89fa98", "d761272a7672", "3faa82b55b46", "32d2d704e3cd",
        "10153815b4be", "5c3016e1bc92", "313b4963ba5f", "638fdce1b0d2", "7629c4ee9615", "7ef44480959d", "fd5f63ace100",
        "e975b4ca5c6f", "605521138c94", "3ef190ca795f", "e53f5e618c68", "cece3557fdf3", "05ee9769c9b0", "43933188efea",
        "231a6ef4fe1c", "8c6e22b726b8", "a02bffa0b7ce", "9b6f882ed1ef", "bccc71b6fab6", "5b1be472cbd1", "01fb028c28d3",
        "999f6bb6483a", "cb8b11f9d79e", "e2240cf45d26", "0b66cc1fc0b9", "51ca082e0cce", "bb2e02255012", "fd7052bea058",
        "8d61339f9528", "e3bdd06acf0d",
    ),
    "generate": (
        "900a46823f3c", "32d2d704e3cd", "638fdce1b0d2", "c74a1835b69b", "f46987610370", "3faa82b55b46", "20697a662ce4",
        "8444ea7840a2", "3afc5f80cd3f", "64300a804c91", "bcb1ea66afe4", "e1057a641e58", "a6c95c3d4843", "913d8b1c749b",
        "f45574335db1", "3fed690e82ee", "10d8dbed3a1b", "b0db299719b7", "f1391e2bcac0", "f60704f1c194", "cf1112c38500",
        "675c27cf4847", "e2240cf45d26", "8c6e22b726b8", "a02bffa0b7ce", "9b6f882ed1ef", "93456eeb4f56",
    ),
    "main": (
        "224a1cf7488e", "2b527d8276e0", "160d761a8ddb", "44e29d0be0e7", "13a01ddc6868", "cbf989f001fd", "90c2b8fa5395",
        "d4cec83903fe", "3412809c1cf4", "fb42facecb03", "9eaa307164c8", "6ca7af4e1bef", "d89ad7f23fbe", "fc244df423ab",
    ),
}
REMARKS = {
    "readme": (
        "e4967d0e67de", "1cdac6611eff", "4b4a97d438db", "1b80bda2ce06", "b955e0ca53dd", "801e0d5234dc", "4029a0387546",
        "965d406da88c", "0f04e6ff9734", "4272c77d4ee5", "d961dd026f95", "939500ba63e2", "26965f8c0c66", "9db21227bb71",
        "780d7816de6f", "dc0f5f1d9994", "dee819de3ae7", "8c3eb2fcb51f", "9d9c9af3c063", "5b540956116c",
    ),
    "import": (
        "681409429b1a", "78513d5bd945", "e3fa306c7c8b", "533fa46b2ded", "4fa87d81cde8", "b59732448610", "875a656b19b6",
        "43d14b034032", "d061ac3bafc6", "d3cc371f349f", "dc10024ad466", "d49c9ce03bcc", "e80a631f629e", "5d939d40080b",
        "eaabbd856a75", "5dfb09c3abb0", "94084181e62a", "b91cebce38dd", "8496d187a050", "98992f69b197", "612af6de89a9",
        "6c59ac273b63", "3d3a3483441d", "dc9a85dc560a", "2d3d093f1605", "58354e55d8ea", "0b0d8c10f623", "dab292f10738",
        "db8812417391", "a7b8a6a64f3a", "dd159064522a", "f2c40939f3fe", "13660f360b99", "ea2d720112a9", "3a14761aebfa",
        "5063d516c67e", "50ecba086478", "350b6bb3a093", "bbc26c376d91", "1449a719d915", "579dc4318fe9", "edab0692a153",
        "81717e97dab8",
    ),
    "dcgan": (
        "54a4177c33d9", "a003f28acffd", "5b5fffe32521", "7ce54dce5e51", "d1a502c99eb5", "4059dd566ff2", "4ec994f2fd37",
        "d1ba0d1266df", "dfc1fa53d57d", "6f4b3947aa8b", "bc3c638fefd9", "ce2fc12e9be8", "85a5efd78b4c",
    ),
    "generator": (
        "9cf850257393", "c68fc7cac821", "af3a62ebc754", "3a2df7f1f46a", "c01c73e603a6", "2713ffc6bb86", "6d2665c7b81c",
        "ac32f4ee11ab", "94ca4e6e8885", "fd161927d9bb", "1099c3ab680a", "4b0efdd9cbff", "ca7179fe8a84",
    ),
    "discriminator": (
        "b3dc12d89475", "362bec583d9e", "06abdbb1f88f", "3810477361c0", "e7fe5fae7c53",
    ),
    "joined": (
        "59331e2929ce", "db65c0abc778", "083d8daa151e", "5c124c699ae8", "6db8286d860b", "fe4aaf457263", "a3663f6c28f2",
        "75fcab107a0e",
    ),
    "combine": (
        "c7dd1c1e39c3", "ba7ea0716032", "b84d7a38c9f1", "f2d3d345a155", "d66bd3c3fb83",
    ),
    "train": (
        "e169c403a88e", "7b5d0a7df419", "a1cd6edd2bb0", "066f0a9b821f", "6f59dcf15e5d", "35b661cb1e6a", "9cb1af44c85c",
        "5d04c6a96439", "e0373f7b9c88", "9debfb89ce50", "240bafb7a0a9", "2f7fc36191f7", "a7c8637b9253", "653947654494",
        "de4d8dfb2287", "3a3484108604", "572cb3a745b1", "e39d838974d1", "fc025e3b12bf", "92d624e60cd6", "a329a31a74c8",
        "592c74754850",
    ),
    "generate": (
        "aa69faee593c", "4c6e9cc8a2e8", "5972974093e6", "1449b17451d1", "329149a795c2", "2a6d42d2620f", "887a9d7243f5",
        "daa77d1a87c5", "334359b90efe", "fdd81d93b705", "0a6512638b63", "dbe04d0f5a32",
    ),
    "main": (
        "71600a6199b3", "72d4a91694bd",
    ),
    "animations": (
        "78d79aa083e8", "d41ab17e7c04", "a132e648184a", "549731a4cd73", "bf641f5ceda0", "b396ac0beb84", "8c1a490ebb8f",
        "c102440594f9", "0d9d6566fae6", "c4a55db6a108", "b0a2938debe8", "8d039a8a1402", "9b3e21087735", "d43f9e54c9d7",
        "645df47e5ede", "296c700e48f0", "5cc44b1c4510", "0a71c47429fd", "0b92c8a81ec0", "cefe6f3e4374", "6b4631dca442",
        "228577559309", "1df34742f9a6", "614b88b202e9", "8f1802595a76", "d894ed3b9f0e", "e9886cb28373", "7924af39b0e5",
        "e00ee2920ffc", "4d50b722ddd9", "4eacc0bcddf4",
    ),
}
LINKS = (
    "http://arxiv.org/abs/1511.06434",
    "https://github.com/fchollet/keras",
    "https://keras.io/ja/",
    "https://keras.io/ja/layers/core/",
    "https://keras.io/ja/layers/core/#flatten",
    "https://arxiv.org/abs/1502.03167",
    "https://keras.io/ja/layers/normalization/",
    "https://keras.io/ja/layers/convolutional/#upsampling2d",
    "https://zo7.github.io/img/2016-09-25-generating-faces/deconv.png",
    "https://zo7.github.io/blog/2016/09/25/generating-faces.html",
    "https://keras.io/ja/layers/convolutional/#conv2d",
    "https://keras.io/ja/layers/pooling/#maxpooling2d",
    "https://keras.io/ja/optimizers/#sgd",
    "https://pillow.readthedocs.io/en/4.3.x/",
    "http://tech.uribou.tokyo/python-argparsenoshi-ifang/",
    "https://elix-tech.github.io/images/2017/gan/dcgan_generator.png",
    "https://arxiv.org/abs/1511.06434",
    "http://yusuke-ujitoko.hatenablog.com/entry/2017/05/08/010314",
    "https://diveintocode.gyazo.com/3a5fa4581e5a5187d0f342cd1babe645",
    "https://t.gyazo.com/teams/diveintocode/3a5fa4581e5a5187d0f342cd1babe645.png",
    "https://towardsdatascience.com/gan-by-example-using-keras-on-tensorflow-backend-1a6d515a60d0",
    "https://qiita.com/mokemokechicken/items/937a82cfdc31e9a6ca12",
    "https://qiita.com/obsproth/items/d7c53580b847fe762da7",
    "http://www.mathgram.xyz/entry/keras/tips/freeze",
    "https://qiita.com/t-ae/items/236457c29ba85a7579d5",
    "https://github.com/vdumoulin/conv_arithmetic#convolution-animations",
)


CELLS = {path.name: {cell["id"]: source(cell) for cell in load(path)} for path in NOTEBOOKS}
ROWS = {
    name.removeprefix("copy-table-"): text.splitlines()[2:]
    for name, text in CELLS[TABLES.name].items()
    if name.startswith("copy-table-")
}


def first_column(rows):
    return [row.removeprefix("| ").split(" | ")[0] for row in rows]


def quotations(text):
    """What a first column quotes, word for word: code, and remarks, which may stand in a code span, too."""
    remarks = [CODE.sub(r"\1", remark) if CODE.fullmatch(remark) else remark for remark in REMARK.findall(text)]
    return {*remarks, *CODE.findall(REMARK.sub("", text))}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def missing(rows, lines):
    quoted = {digest(line) for text in first_column(rows) for line in quotations(text)}
    return [line for line in lines if line not in quoted]


@pytest.mark.parametrize("part", REMARKS)
def test_every_line_and_every_remark_has_a_row(part):
    assert not missing(ROWS[part], PROGRAM.get(part, ()) + REMARKS[part])


def links(rows):
    return {link for text in first_column(rows) for link in ADDRESS.findall(text)}


def test_every_link_has_a_row():
    assert set().union(*map(links, ROWS.values())) == set(LINKS)


def test_a_row_taken_out_is_missed():
    for part, rows in ROWS.items():
        lines = PROGRAM.get(part, ()) + REMARKS.get(part, ())
        for row in rows:
            others = [other for other in rows if other != row]
            assert missing(others, lines) or links(rows) - links(others), row


def test_every_row_names_cells_that_there_are():
    for rows in ROWS.values():
        for row in rows:
            named = CELL_LINK.findall(row)
            assert named or row.endswith(" | - |"), row
            for cell, notebook in named:
                assert cell in CELLS.get(notebook, ()), f"{notebook}: {cell}"
                assert notebook != TABLES.name


def test_rows_are_whole():
    for part, rows in ROWS.items():
        for row in rows:
            columns = row.removeprefix("| ").removesuffix(" |").split(" | ")
            assert len(columns) == (7 if part == "articles" else 4) and all(columns), row
            assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", CODE.sub("", columns[-2])), row
