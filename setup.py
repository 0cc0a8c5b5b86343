"""Builds wengert._core: kernels of csrc/ once for each instruction set, then the Cython module.

Switches (environment): WENGERT_DEBUG=1 (bounds and invariant checks, no optimisation), WENGERT_SANITIZE=address,undefined,
WENGERT_ANNOTATE=1 (annotated Cython as HTML in build/), WENGERT_JOBS=n (compilers at once; default: the CPUs).
Objects are kept in build/, by the flags they were compiled with, and compiled again when their source or a header that
they include has changed. Those of csrc/ do not depend on Python.
"""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
DEBUG = os.environ.get("WENGERT_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("WENGERT_SANITIZE", "")
ANNOTATE = os.environ.get("WENGERT_ANNOTATE", "") not in ("", "0")
X86 = platform.machine().lower() in ("x86_64", "amd64")

COMMON = [
    "-std=c++17",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
]
COMMON += ["-O1", "-g", "-DWENGERT_DEBUG"] if DEBUG else ["-O3", "-DNDEBUG"]
if SANITIZE:
    # Shifts of negative numbers to the left are what C++20 and the compilers of today define, not C++17.
    COMMON += [f"-fsanitize={SANITIZE}", "-fno-sanitize=shift-base", "-fno-omit-frame-pointer", "-g"]
    COMMON.append("-fno-sanitize-recover=all")
if X86:
    COMMON.append("-DWG_X86")
ISAS = {"base": []}
if X86:
    ISAS["v3"] = ["-march=x86-64-v3", "-DWG_ISA_V3"]
    ISAS["v4"] = ["-march=x86-64-v4", "-mprefer-vector-width=512", "-DWG_ISA_V4"]


def stop(message):
    """Ends the build with one sentence instead of a traceback."""
    print(f"\nwengert: {message}\n", file=sys.stderr)
    raise SystemExit(1)


class Build(build_ext):
    """build_ext that compiles csrc/ in parallel and says what it does and how long that takes."""

    def build_extension(self, ext):
        start = time.time()
        compiler = self.compiler.compiler_so_cxx if hasattr(self.compiler, "compiler_so_cxx") else None
        cxx = shlex.split(os.environ.get("CXX", "")) or (compiler or ["c++"])[:1]
        self.check_tools(cxx)
        version = subprocess.run([*cxx, "--version"], capture_output=True, text=True).stdout
        key = hashlib.sha256(repr((cxx, version, COMMON, ISAS)).encode()).hexdigest()[:12]
        folder = ROOT / "build" / f"csrc-{key}"
        self.build_temp = str(ROOT / "build" / f"core-{sys.implementation.cache_tag}-{key}")
        workers = int(os.environ.get("WENGERT_JOBS", "0")) or os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            core_object = self.compile_core(ext, pool)  # the longest of all: it goes first
            ext.extra_objects = [str(o) for o in self.compile_csrc(cxx, folder, pool, workers)]
            ext.extra_objects.insert(0, str(core_object.result()))
        ext.sources = []
        print(f"wengert: linking ({time.time() - start:.0f} s so far)", flush=True)
        self.force = True  # times do not tell which objects a library was linked from, and a link takes a second
        super().build_extension(ext)
        print(f"wengert: built in {time.time() - start:.0f} s", flush=True)

    @staticmethod
    def check_tools(cxx):
        try:
            subprocess.run([*cxx, "--version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            stop(
                f"no C++ compiler: '{cxx[0]}' does not run. On Debian or Ubuntu: apt-get install g++; elsewhere install "
                "GCC or Clang, or name one in CXX."
            )
        if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
            stop(
                "no Python headers (Python.h). On Debian or Ubuntu: apt-get install python3-dev; else use a Python that "
                "ships them."
            )

    def compile_core(self, ext, pool):
        """Compiles what Cython wrote, unless an earlier build has from the same; returns the future object file."""
        (source,) = ext.sources
        (target,) = self.compiler.object_filenames([source], output_dir=self.build_temp)
        arguments = [*ext.extra_compile_args, "-MMD", "-MF", str(Path(target).with_suffix(".d"))]

        def run():
            if stale(Path(source), Path(target)):
                self.compiler.compile(
                    [source],
                    self.build_temp,
                    include_dirs=ext.include_dirs,
                    extra_postargs=arguments,
                    debug=self.debug,
                )
            return target

        return pool.submit(run)

    def compile_csrc(self, cxx, folder, pool, workers):
        """Compiles what changed; returns all object files."""
        folder.mkdir(parents=True, exist_ok=True)
        jobs = []
        for source in sorted((ROOT / "csrc").rglob("*.cpp")):
            isas = ISAS if source.parent.name == "kernels" else {"all": []}
            for isa, flags in isas.items():
                target = folder / f"{source.parent.name}-{source.stem}-{isa}.o"
                command = [
                    *cxx,
                    *COMMON,
                    *flags,
                    "-I",
                    str(ROOT / "csrc" / "include"),
                    "-I",
                    str(ROOT / "csrc" / "kernels"),
                    "-MMD",
                    "-MF",
                    str(target.with_suffix(".d")),
                    "-c",
                    str(source),
                    "-o",
                    str(target),
                ]
                jobs.append((source, isa, target, command))
        todo = [job for job in jobs if stale(job[0], job[2])]
        todo.sort(key=lambda job: -job[0].stat().st_size)  # long ones first
        print(
            f"wengert: compiling the Cython core and {len(todo)} of {len(jobs)} files of csrc/, {workers} at a time",
            flush=True,
        )
        for job, result in zip(todo, pool.map(run_job, todo), strict=True):
            if result.returncode:
                print(result.stderr, file=sys.stderr)
                job[2].unlink(missing_ok=True)
                stop(f"{job[0].name} ({job[1]}) does not compile with {' '.join(cxx)}; see the message above.")
            if result.stderr:
                print(result.stderr, file=sys.stderr)
        return [job[2] for job in jobs]


def run_job(job):
    return subprocess.run(job[3], capture_output=True, text=True)


def stale(source, target):
    """Whether an object is older than its source or a header it was made with."""
    depends = target.with_suffix(".d")
    if not target.exists() or not depends.exists():
        return True
    made = target.stat().st_mtime
    names = depends.read_text().replace("\\\n", " ").partition(":")[2].split()
    return (
        any(not Path(n).exists() or Path(n).stat().st_mtime > made for n in names) or source.stat().st_mtime > made
    )


def core():
    try:
        from Cython.Build import cythonize
    except ImportError:
        stop("no Cython: pip install 'Cython>=3.1' 'setuptools>=77', or build with pip, which installs both.")
    parts = [str(p.relative_to(ROOT)) for p in sorted((ROOT / "src/wengert/core").iterdir())]
    extension = Extension(
        "wengert._core",
        ["src/wengert/_core.pyx"],
        language="c++",
        include_dirs=["csrc/include", "src/wengert/core"],
        depends=parts,
        extra_compile_args=[
            *(f for f in COMMON if f != "-O3"),
            *([] if DEBUG else ["-O2"]),
            "-Wno-unused-function",
        ],
        extra_link_args=[f"-fsanitize={SANITIZE}"]
        if SANITIZE
        else (["-s"] if not DEBUG and sys.platform == "linux" else []),
    )
    directives = {
        "boundscheck": DEBUG,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": DEBUG,
        "nonecheck": DEBUG,
        "freethreading_compatible": False,
    }
    folder = "build/cython-debug" if DEBUG else "build/cython"  # the directives are part of what Cython writes
    return cythonize([extension], compiler_directives=directives, annotate=ANNOTATE, build_dir=folder)


setup(ext_modules=core(), cmdclass={"build_ext": Build})
