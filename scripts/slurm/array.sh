#!/usr/bin/env bash
# Run ltr as an array of Slurm jobs, over the lines of a file of words or over seeds:
#   sbatch --array=1-20 scripts/slurm/array.sh words.txt
#   sbatch --array=0-19 scripts/slurm/array.sh prune_rate=0.2 rounds=15
# Of a file, task N runs line N. Without one, task N runs the words with seed=N. Submitted again, finished runs train
# nothing, and others go on from their checkpoints. A task that is preempted, or near its time limit, writes a
# checkpoint and is queued again. Set partition, account, time, memory and GPUs as options of sbatch.
#SBATCH --job-name=ltr
#SBATCH --cpus-per-task=2
#SBATCH --time=1:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=ltr-%A_%a.log
#SBATCH --signal=B:TERM@60
set -euo pipefail

task=${SLURM_ARRAY_TASK_ID:-}
if [ -z "$task" ]; then
    echo "no array: type sbatch --array=1-N array.sh FILE, or sbatch --array=0-N array.sh KEY=VALUE ..." >&2
    exit 2
fi
if [ $# = 1 ] && [ -f "$1" ]; then
    line=$(sed -n "${task}p" "$1")
    [ -n "$line" ] || { echo "$1: has no line $task" >&2; exit 2; }
    mapfile -t words < <(xargs -n1 printf '%s\n' <<<"$line")  # quotes as in a shell, and nothing is expanded
else
    words=("$@" "seed=$task")
fi

# Near its time limit the signal reaches this shell alone, which passes it on. What ends a job, as scancel does, reaches
# ltr too, and twice would end it without a checkpoint.
is_running() {
    [ "$(squeue --noheader --jobs "$SLURM_JOB_ID" --format %T)" = RUNNING ]
}
"${LTR:-ltr}" run "${words[@]}" &
run=$!
signalled=
trap 'signalled=yes; if is_running; then kill -TERM "$run" 2>/dev/null || true; fi' TERM
code=0
wait "$run" || code=$?
if [ -n "$signalled" ]; then  # that wait ended at once
    code=0
    wait "$run" || code=$?
    if [ "$code" = 143 ] && is_running; then  # it was not cancelled
        exec scontrol requeue "$SLURM_JOB_ID"
    fi
fi
exit "$code"
