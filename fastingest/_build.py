"""How the native listener is built: the ``build_ext`` of pyproject.toml. No run imports this.

Theory of operation. The extension modules are *optional*, and come together or not at all: where
one of them cannot be built, for want of a compiler or of Python's headers, one line of warning says
so, those of an earlier build are removed as well, and the package is pure Python. What a build has
left is never taken for up to date: other flags, or another picows, would not show in a file's time.

A picows object's layout is compiled in, so each module is told for which version
(``FASTINGEST_PICOWS``); :mod:`fastingest.native.availability` compares it with the one that is
installed.

Environment variables:

- ``FASTINGEST_BUILD_NATIVE``: ``0`` builds none; ``1`` makes it an error that one cannot be built,
  and of every warning; otherwise they are built if possible.
- ``FASTINGEST_SANITIZE``: builds with these sanitizers, ``address,undefined``.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import OptionError

__all__ = ["BuildNative"]

_STRICT = [
    "-Wall",
    "-Wextra",
    "-Werror",
    # What Cython's generated C is not free of:
    "-Wno-unused-parameter",  # those of slots that CPython prescribes
    "-Wno-unused-function",  # helpers, and inline functions of a .pxd, that a module has no use for
    "-Wno-cast-function-type",  # PyCFunction stands for functions with keywords, too
    "-Wno-missing-field-initializers",  # of PyTypeObject, which grows with each CPython
]


class BuildNative(build_ext):
    """Builds all extension modules, or none."""

    def run(self) -> None:
        """Do what ``FASTINGEST_BUILD_NATIVE`` says.

        :raises OptionError: it says something else.
        """
        wanted = os.environ.get("FASTINGEST_BUILD_NATIVE", "")
        if wanted not in ("", "0", "1"):
            raise OptionError(f"FASTINGEST_BUILD_NATIVE is {wanted!r}; 0 and 1 can be asked for")
        outputs = self._outputs()
        built = False
        try:
            if wanted != "0":
                self._prepare(is_strict=wanted == "1")
                super().run()
                built = True
        except Exception as error:  # whatever it is, the package works without
            if wanted == "1":
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.warn(
                "the native listener is not built, fastingest will do without, and be slower; "
                f"FASTINGEST_BUILD_NATIVE=1 makes this an error ({reason})"
            )
        finally:
            if not built:
                for path in outputs:
                    path.unlink(missing_ok=True)
                self.extensions = []

    def _outputs(self) -> list[Path]:
        """The files that a build makes: those in the build directory, and beside the sources."""
        asked = self.inplace
        found = []
        for inplace in {False, bool(asked)}:
            self.inplace = inplace
            found += [Path(self.get_ext_fullpath(each.name)) for each in self.extensions]
        self.inplace = asked
        return found

    def _prepare(self, is_strict: bool) -> None:
        """Set all flags, and make C of the Cython sources."""
        self.force = True
        arguments = ["-O3", "-g0"]  # where CPython's flags have -g, it is four fifths of the file
        if sanitizers := os.environ.get("FASTINGEST_SANITIZE"):
            arguments = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitizers}"]
        for extension in self.extensions:
            extension.define_macros.append(("FASTINGEST_PICOWS", f'"{version("picows")}"'))
            extension.extra_compile_args += arguments + (_STRICT if is_strict else [])
            extension.extra_link_args += arguments[3:]
        _cythonize(self.extensions, self.build_temp, is_strict)


def _cythonize(extensions: list[Extension], folder: str, is_strict: bool) -> None:
    """Put C files into ``folder``, as the extensions' sources."""
    from Cython.Build import cythonize
    from Cython.Compiler import Options

    Options.warning_errors = is_strict
    made = cythonize(
        extensions,
        build_dir=folder,
        force=True,
        compiler_directives=Options.extra_warnings if is_strict else {},
    )
    sources = {extension.name: extension.sources for extension in made}
    for extension in extensions:
        extension.sources = sources[extension.name]
