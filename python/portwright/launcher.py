"""The `portwright` command of an installed wheel: hands over to the binary."""

import importlib.util
import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent


def package_directory(name):
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(list(spec.submodule_search_locations)[0])


def environment():
    """What the binary expects around it."""
    variables = dict(os.environ)
    variables["PORTWRIGHT_PYTHON"] = sys.executable
    variables["PORTWRIGHT_HOME"] = str(HOME)
    transformers = package_directory("transformers")
    if transformers:
        variables["PORTWRIGHT_TRANSFORMERS"] = str(transformers)
    mlx = package_directory("mlx")
    # The binary looks for libmlx beside itself; elsewhere it has to be told.
    if mlx and mlx.parent != HOME.parent:
        name = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
        paths = [str(mlx / "lib"), variables.get(name, "")]
        variables[name] = os.pathsep.join(path for path in paths if path)
    return variables


def main():
    binary = HOME / "bin" / "portwright"
    if not binary.exists():
        print(f"portwright: {binary} is missing; install it again", file=sys.stderr)
        return 4
    os.execve(binary, [str(binary), *sys.argv[1:]], environment())


if __name__ == "__main__":
    sys.exit(main())
