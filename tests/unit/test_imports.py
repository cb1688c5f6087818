"""`import confsvc` is cheap, does nothing, and gives exactly the public names."""

import json
import subprocess
import sys

import confsvc

CODE = """
import sys, threading
before = set(sys.modules)
import confsvc
import json
top = sorted({name.partition('.')[0] for name in set(sys.modules) - before})
print(json.dumps([top, threading.active_count()]))
"""


def run(code: str) -> str:
    """Run code in a Python of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_it_loads_the_standard_library_only() -> None:
    loaded, threads = json.loads(run(CODE))
    assert [name for name in loaded if name not in sys.stdlib_module_names] == ["confsvc"]
    assert threads == 1


def test_every_public_name_is_there() -> None:
    assert confsvc.__all__ == sorted(confsvc.__all__)
    for name in confsvc.__all__:
        assert getattr(confsvc, name) is not None
    assert dir(confsvc) == confsvc.__all__
    assert not hasattr(confsvc, "nope")


def test_a_light_import_leaves_the_package_whole() -> None:
    code = (
        "from confsvc._light import import_submodule\n"
        "(core,) = import_submodule('pydantic_core', '_pydantic_core')\n"
        "import sys; assert 'pydantic_core' not in sys.modules\n"
        "import pydantic\n"
        "class Model(pydantic.BaseModel):\n    a: int\n"
        "assert Model(a='1').a == 1\n"
        "import pydantic_core; assert pydantic_core.SchemaValidator is core.SchemaValidator\n"
        "import_submodule('dotenv', 'parser', 'variables')\n"
        "import dotenv, io; print(dict(dotenv.dotenv_values(stream=io.StringIO('A=1'))))\n"
    )
    assert run(code) == "{'A': '1'}\n"


def test_a_light_import_falls_back_to_the_ordinary_one() -> None:
    code = (
        "from confsvc._light import import_submodule\n"
        "print([m.__name__ for m in import_submodule('json', 'decoder', 'encoder')])\n"
        "try:\n    import_submodule('no_such_package', 'x')\nexcept ImportError as e:\n    print(type(e).__name__)\n"
    )
    assert run(code) == "['json.decoder', 'json.encoder']\nModuleNotFoundError\n"
