"""Time the training of one network by the package and by others, who take turns.

    python benchmarks/training.py [--rounds R] [--threads 1|2] [--examples N] [--kernel NAME]
                                  [--output FILE]

784-300-100-10 on MNIST, batches of 100, float32, plain SGD. Every contender lives in a process of
its own, and only one of them computes at a time: in every round each trains for one epoch, in
random order. A busy machine slows all of them alike; compare the ratios, not the times. Before
that, one step of each must give the textbook's weights, and in the end each must have learned.
Parts of a contender's work, such as its products alone, take their turns with the rest.
On Linux all get as many processors as threads: some start threads of their own beside those.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import contenders
import numpy as np
import steps
from tqdm import tqdm
from workers import Worker, WorkerError

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "code" / "backprop" / "data" / "speed.json"
OURS = "sgd_step"
FULL_EPOCH = 60000
LEAST_ACCURACY = 0.9
STEPS_PER_TURN = 20
PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
NUMBERS = ["cpu family", "model", "stepping"]
VECTORS = ("avx", "fma", "amx")
MEASURED = [
    "code",
    "benchmarks",
    "chapters/09_fast_training.ipynb",
    f":(exclude){OUTPUT.relative_to(ROOT)}",
]
PACKAGES = ["numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "scikit-learn"]
# What the package promises, with one thread: its samples per second over the contender's.
GOALS = {
    "Keras fit": 2.8,
    "PyTorch": 1.6,
    "tf.function": 1.45,
    "JAX": 1.15,
    "one by one": 20,
    "bare products": 0.9,
}


def environment(threads, kernel):
    """Return the variables by which libraries choose threads, kernel and device."""
    names = ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    variables = dict.fromkeys(names, str(threads))
    variables["NPROC"] = str(threads)  # XLA's pool
    variables["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    variables["JAX_PLATFORMS"] = "cpu"
    variables["CUDA_VISIBLE_DEVICES"] = "-1"
    variables["TF_CPP_MIN_LOG_LEVEL"] = "3"
    variables["TQDM_DISABLE"] = "1"
    if kernel:
        variables["OPENBLAS_CORETYPE"] = kernel
    return variables


def pin(threads):
    """Give this process, and those that it starts, the last so many of its processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, PROCESSORS[-threads:])


def race(folder, threads, rounds, examples):
    """Let all train in turns; return contenders and parts by name, and the BLAS that NumPy uses."""
    names = [*contenders.CONTENDERS, *contenders.PARTS]
    warm_up = -(-FULL_EPOCH // examples)  # so that all have seen as much as in one full epoch
    with ExitStack() as stack:
        workers, first_peaks = {}, {}
        for name in tqdm(names, desc=f"threads: {threads}, warm-up"):
            worker = Worker(name, contenders.Entry, name, folder, threads)
            stack.callback(worker.end)
            worker("check_step")
            workers[name], first_peaks[name] = worker, worker("warm_up", warm_up)
        turns = {name: [] for name in names}
        with tqdm(total=rounds * len(names), desc=f"threads: {threads}, turns") as bar:
            for _ in range(rounds):
                for name in random.sample(names, len(names)):
                    time.sleep(0.05)  # idle threads of the one before may still be spinning
                    turns[name].append(workers[name]("turn"))
                    bar.update()
        results = {}
        for name, worker in workers.items():
            last_peak, accuracy = worker("finish", LEAST_ACCURACY)
            results[name] = {
                "how": worker("how"),
                "accuracy": accuracy,
                "peak_mb": [round(first_peaks[name]), round(last_peak)],
                **summary(name, turns[name], threads),
            }
        blas = workers["bare products"]("blas")
    for result in results.values():
        for ratio, speed in (
            ("ratio", "samples_per_second"),
            ("cpu_ratio", "samples_per_cpu_second"),
        ):
            result[ratio] = round(results[OURS][speed]["median"] / result[speed]["median"], 3)
    entrants = {name: results[name] for name in contenders.CONTENDERS}
    return entrants, {name: results[name] for name in contenders.PARTS}, blas


def summary(name, turns, threads):
    """Return what the turns of a contender say: speeds, and how many processors were busy."""
    examples, seconds, cpu = np.array(turns).T
    cores = float(np.median(cpu / seconds))
    if cores > threads + 0.5:
        raise WorkerError(f"{name}: keeps {cores:.1f} processors busy with {threads} threads")
    return {
        "samples_per_second": spread(examples / seconds, 0),
        "samples_per_cpu_second": spread(examples / cpu, 0),
        "cores": round(cores, 2),
        "seconds_per_epoch": [float(f"{s:.4g}") for s in seconds / examples * FULL_EPOCH],
    }


def spread(values, digits):
    """Return the median and the 10th and 90th percentiles."""
    low, middle, high = np.percentile(values, [10, 50, 90]).round(digits).tolist()
    return {"median": middle, "low": low, "high": high}


def walk(folder, threads, rounds):
    """Time the forms of one step in turns; return a dict of results by name."""
    worker = Worker("steps", steps.Steps, folder)
    try:
        worker("check")
        worker("turn", STEPS_PER_TURN)
        seconds = {}
        for _ in tqdm(range(rounds), desc=f"threads: {threads}, steps"):
            for name, times in worker("turn", STEPS_PER_TURN).items():
                seconds.setdefault(name, []).extend(times)
        how = worker("how")
    finally:
        worker.end()
    bare = np.median(seconds["bare products"])
    return {
        name: {
            "how": how.get(name, contenders.Products.__doc__),
            "microseconds": spread(np.array(seconds[name]) * 1e6, 1),
            "ratio": round(float(np.median(seconds[name]) / bare), 3),
        }
        for name in ["bare products", *how]
    }


def print_race(entrants, parts, threads):
    """Print the contenders and the parts, the fastest first, and then the goals."""
    results = entrants | parts
    print(f"\nThreads: {threads}\n")
    columns = [
        "",
        "samples/s",
        "10 to 90 %",
        "sgd_step's ratio",
        "by CPU time",
        "processors",
        "peak MB",
    ]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, r in sorted(results.items(), key=lambda item: item[1]["ratio"]):
        speed, (first, last) = r["samples_per_second"], r["peak_mb"]
        print(
            f"| {name} | {speed['median']:,.0f} | {speed['low']:,.0f} to {speed['high']:,.0f}"
            f" | {r['ratio']:.2f} | {r['cpu_ratio']:.2f} | {r['cores']:.2f} | {first} to {last} |"
        )
    print()
    for name, r in results.items():
        print(f"{name}: {r['how']}.")
    if threads == 1:
        print()
        for name, goal in GOALS.items():
            # Some wait while they hold a processor, some work on a second one: the smaller counts.
            ratio = min(results[name]["ratio"], results[name]["cpu_ratio"])
            verdict = "reached" if ratio >= goal else "missed"
            print(f"Goal, {goal} times {name}: {verdict}, {ratio:.2f}")


def print_walk(results):
    """Print the forms of a step."""
    print("\n| a step | µs | 10 to 90 % | ratio to the products |\n|---|---|---|---|")
    for name, r in results.items():
        t = r["microseconds"]
        middle, low, high = t["median"], t["low"], t["high"]
        print(f"| {name} | {middle:.0f} | {low:.0f} to {high:.0f} | {r['ratio']:.2f} |")


def processor():
    """Return the processor's name, family and model, and its instructions for vectors."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:  # not Linux
        first = ""
    pairs = (line.partition(":") for line in first.splitlines())
    facts = {key.strip(): text.strip() for key, _, text in pairs}
    name = facts.get("model name") or platform.processor() or platform.machine()
    details = [f"{key} {facts[key]}" for key in NUMBERS if key in facts]
    vectors = [flag for flag in facts.get("flags", "").split() if flag.startswith(VECTORS)]
    return {"processor": ", ".join([name, *details]), "vectors": " ".join(vectors)}


def commit():
    """Return the commit that is measured, and whether files differ from it; none without git."""
    try:
        head = git("rev-parse", "--short=12", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=no", "--", *MEASURED)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} with changes" if changes else head


def git(*arguments):
    """Return what a git command prints."""
    return subprocess.check_output(
        ["git", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL, text=True
    ).strip()


def versions():
    """Return the versions of Python and of the packages; TensorFlow has one of two names."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="timed epochs of each contender")
    parser.add_argument("--threads", type=int, choices=[1, 2], help="default: first 1, then 2")
    parser.add_argument("--examples", type=int, default=FULL_EPOCH, help="fewer only for a try")
    parser.add_argument("--kernel", help="OPENBLAS_CORETYPE for all, such as SkylakeX")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="a JSON file")
    values = parser.parse_args()
    if values.rounds < 1 or not 1000 <= values.examples <= FULL_EPOCH:
        parser.error(f"expected --rounds of at least 1 and --examples of 1000 to {FULL_EPOCH}")
    if values.examples % contenders.BATCH:
        parser.error(f"expected --examples to be a multiple of {contenders.BATCH}")
    try:  # now, and not when all has been measured
        values.written = json.loads(values.output.read_bytes()) if values.output.exists() else {}
        values.output.parent.resolve(strict=True)
    except (OSError, ValueError) as error:
        parser.error(f"--output {values.output}: {error}")
    return values


def measure(options):
    """Run everything that the options ask for and return what is written to the file."""
    result = {
        "date": date.today().isoformat(),
        "commit": commit(),
        **processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        "rounds": options.rounds,
        "examples": options.examples,
        "pinned": bool(PROCESSORS),
        "batch_size": contenders.BATCH,
        "sizes": contenders.SIZES,
        "steps_timed": options.rounds * STEPS_PER_TURN,
        "contenders": {},
        "parts": {},
        "steps": {},
    }
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)  # OpenBLAS is to choose, unless a kernel is asked for
    with tempfile.TemporaryDirectory() as folder:
        for threads in [options.threads] if options.threads else [1, 2]:
            os.environ.update(environment(threads, options.kernel))  # the workers inherit it
            pin(threads)
            preparation = Worker("preparation", contenders.Preparation, folder)
            preparation("write", options.examples)
            preparation.end()
            key = str(threads)
            entrants, parts, result["blas"] = race(
                folder, threads, options.rounds, options.examples
            )
            result["contenders"][key], result["parts"][key] = entrants, parts
            result["steps"][key] = walk(folder, threads, options.rounds)
            print_race(entrants, parts, threads)
            print_walk(result["steps"][key])
    return result


def main():
    """Measure, print and write; end with one sentence if something is missing."""
    options = arguments()
    try:
        result = measure(options)
    except WorkerError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("Stopped; nothing has been written.", file=sys.stderr)
        sys.exit(130)
    # One entry for each kernel: a run with another one leaves the others where they are.
    kernel = result["blas"][0].split()[-1]
    written = options.written | {kernel: result}
    options.output.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"\nBLAS: {', '.join(result['blas'])}. Written: {options.output.name}")


if __name__ == "__main__":
    main()
