"""What pyproject.toml cannot say: a wheel has configs/ inside the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConfigs(build_py):
    """Copies configs/ into the package, unless the checkout itself is installed (editable)."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_tree("configs", str(Path(self.build_lib, "mixup_repro", "configs")))


setup(cmdclass={"build_py": WithConfigs})
