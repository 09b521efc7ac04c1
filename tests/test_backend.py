"""How TensorFlow and Keras are loaded: with this project's settings, in silence, but never mute about a death."""

import json
import os
import signal
import subprocess
import sys

import pytest

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
ASK = """
from dcgan_lib.backend import keras, tf
import dcgan_lib.models
d = dcgan_lib.models.dcgan_discriminator(width=2)
tf.function(lambda: tf.data.Dataset.range(3).reduce(tf.constant(0, tf.int64), lambda a, b: a + b))()  # not for XLA
print(keras.backend.backend(), keras.config.image_data_format(), keras.config.floatx(), d.input_shape, d.dtype,
      keras.config.max_epochs(), keras.config.max_steps_per_epoch())
"""


def run(program, *, path="", **variables):
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    env.update(variables, PYTHONPATH=str(path))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    {"image_data_format": "channels_first", "floatx": "float16", "backend": "jax", "max_epochs": 1,
     "max_steps_per_epoch": 2, "nnx_enabled": True},
    {"floatx": "float64"},
])
def test_keras_json_of_the_user_changes_nothing(settings, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    done = run(ASK, KERAS_HOME=str(tmp_path), KERAS_BACKEND="", KERAS_MAX_EPOCHS="abc", KERAS_NNX_ENABLED="true",
               TF_FUNCTION_JIT_COMPILE_DEFAULT="1")
    assert done.stdout == "tensorflow channels_last float32 (None, 28, 28, 1) float32 None None\n", done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("settings", ['"text"', '{"floatx": "float1"}'])
def test_keras_json_that_is_none(settings, tmp_path):
    (tmp_path / "keras.json").write_text(settings)
    program = "import sys; from dcgan_lib.command_line import main; sys.exit(main(['--mode', 'generate']))"
    done = run(program, KERAS_HOME=str(tmp_path))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "mend or remove its settings file, keras.json" in done.stderr


def test_keras_that_was_loaded_on_another_engine_before():
    program = """
import sys, types
keras = sys.modules["keras"] = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "jax")
from dcgan_lib.errors import run_program
def program(arguments):
    import dcgan_lib.backend
sys.exit(run_program("x", program))
"""
    done = run(program)
    assert done.returncode == 2 and "Keras was loaded on jax before" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_tensorflow_that_is_not_installed():
    program = """
import sys
sys.modules["tensorflow"] = None
sys.argv[1:] = ["--mode", "generate"]
from dcgan_lib.command_line import main
sys.exit(main())
"""
    done = run(program)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("dcgan: error: the package tensorflow is missing; pip install -r requirements.txt")


def stand_in(folder, body):
    """A package ``tensorflow`` that does this when it is imported."""
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text("import os\n" + body)


@posix
def test_last_words_reach_the_terminal_when_the_process_dies(tmp_path):
    stand_in(tmp_path, 'os.write(2, b"F0000 This TensorFlow was compiled to use AVX\\n"); os.abort()')
    done = run("import dcgan_lib.backend", path=tmp_path)
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == "F0000 This TensorFlow was compiled to use AVX\n"


def test_what_was_said_before_an_error_is_told_with_it(tmp_path):
    stand_in(tmp_path, 'os.write(2, b"no such library\\n"); raise OSError("broken")')
    done = run("import dcgan_lib.backend", path=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("no such library\n") and "OSError: broken" in done.stderr


def test_ctrl_c_while_tensorflow_is_loaded(tmp_path):
    stand_in(tmp_path, 'os.write(2, b"start-up lines\\n"); raise KeyboardInterrupt')
    program = "import sys; from dcgan_lib.command_line import main; sys.exit(main(['--mode', 'generate']))"
    done = run(program, path=tmp_path)
    assert done.returncode == 130 and done.stderr == "\ndcgan: stopped\n"


@pytest.mark.parametrize("level, silent", [("0", False), ("1", False), ("2", True), ("3", True)])
def test_who_wants_to_read_the_start_up_lines_can(level, silent, tmp_path):
    stand_in(tmp_path, 'os.write(2, b"start-up lines\\n"); raise KeyboardInterrupt')
    done = run("try:\n import dcgan_lib.backend\nexcept KeyboardInterrupt: pass", path=tmp_path,
               TF_CPP_MIN_LOG_LEVEL=level)
    assert ("start-up lines" in done.stderr) != silent


def test_a_gpu_is_used_as_its_owner_expects():
    from dcgan_lib import backend

    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert backend.device_name().split()[0] in ("CPU", "GPU")


def test_a_gpu_that_tensorflow_does_not_use_is_spoken_of(monkeypatch):
    from dcgan_lib import backend

    monkeypatch.setattr(backend.tf.config, "get_visible_devices", lambda kind: [])
    monkeypatch.setattr(backend.os.path, "exists", lambda path: path == "/proc/driver/nvidia/version")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert backend.device_name().startswith("CPU (there is a GPU, but this TensorFlow ")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert backend.device_name() == "CPU"
