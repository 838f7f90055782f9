"""Which folders the package consists of; everything else is in pyproject.toml.

The configurations lie in ``configs/``, where users of Detectron2 look for them, and come into the package as
``segtumor/configs``, so that an installed segtumor has them too.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["segtumor", "segtumor.*"]), "segtumor.configs"],
    package_dir={"segtumor.configs": "configs"},
    package_data={
        "segtumor": ["py.typed"],
        "segtumor.configs": ["*.yaml", "README.md"],
        "segtumor.literature": ["**/*.yaml"],
        "segtumor.reporting": ["templates/*.html", "**/*.yaml"],
        "segtumor.shipped": ["models/**/*"],
        "segtumor.web": ["openapi.yaml", "static/**/*", "templates/*.html"],
    },
)
