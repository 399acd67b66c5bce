#!/usr/bin/env bash
#SBATCH --job-name=snowwolf
#SBATCH --array=0-2
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --requeue
# One classifier a task, one store for all: a task that is preempted goes on where it stopped when it is run again.
#   sbatch docs/schedules/slurm-array.sh
#   sbatch --dependency=afterany:<job id> --wrap '.venv/bin/python run.py task=report name=nightly store=runs/nightly'
models=(resnet50.a1_in1k convnext_tiny.fb_in1k vit_base_patch16_224.augreg2_in21k_ft_in1k)
exec .venv/bin/python run.py suite=imagenet name=nightly store=runs/nightly data=folder data.root=/imagenet/val \
  model.name="${models[$SLURM_ARRAY_TASK_ID]}"
