#!/usr/bin/env bash
# A real Slurm of one node on this machine: munge, accounting (submitit polls sacct), two GPUs that exist on paper.
#   apt-get install -y --no-install-recommends slurm-wlm slurm-wlm-basic-plugins slurmdbd munge mariadb-server
#   tests/tasks/slurm.sh start FOLDER && export SLURM_CONF=FOLDER/slurm.conf
#   tests/tasks/slurm.sh stop FOLDER
# Everything it writes lies in FOLDER; it listens on this machine alone, on the ports below. Needs root.
set -euo pipefail
action=$1
home=$(mkdir -p "$2" && cd "$2" && pwd)
host=$(hostname -s)
cores=$(nproc)
controller_port=16817 node_port=16818 accounting_port=16819 database_port=16820
export SLURM_CONF=$home/slurm.conf

stop() {
  for daemon in slurmd slurmctld slurmdbd mariadbd munged; do
    pid=$(cat "$home/$daemon.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$home/$daemon.pid"
  done
}

# Tries a command for up to 30 seconds.
await() {
  local until=$((SECONDS + 30))
  while ((SECONDS < until)); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  echo "slurm.sh: gave up waiting for: $*; the logs are in $home" >&2
  exit 1
}

configure() {
  # munged refuses a socket whose folder only its owner may enter.
  chmod 755 "$home"
  mkdir -p "$home/state" "$home/spool"
  (umask 077 && head -c 1024 /dev/urandom >"$home/munge.key")
  cat >"$home/slurm.conf" <<CONF
ClusterName=snowwolf
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# A requeued job waits until its credential is over: 5 seconds here, two minutes on a production cluster.
AuthInfo=socket=$home/munge.socket,cred_expire=5
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$accounting_port
# What talks to slurmdbd finds munge by this key alone.
AccountingStoragePass=$home/munge.socket
AccountingStorageTRES=gres/gpu
SlurmctldPort=$controller_port
SlurmdPort=$node_port
GresTypes=gpu
MpiDefault=none
# Looks every second for what may start, not every thirty or sixty.
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES PriorityTier=1
PartitionName=urgent Nodes=$host PriorityTier=10
CONF
  # Slurm 22.05 (Debian 12) cannot do without control groups, but asks nothing of these.
  echo "CgroupPlugin=cgroup/v1" >"$home/cgroup.conf"
  mknod "$home/gpu0" c 1 3
  mknod "$home/gpu1" c 1 3
  echo "NodeName=$host Name=gpu File=$home/gpu[0-1] Flags=nvidia_gpu_env" >"$home/gres.conf"
  cat >"$home/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
DbdHost=localhost
DbdPort=$accounting_port
SlurmUser=root
PidFile=$home/slurmdbd.pid
LogFile=$home/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$database_port
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CONF
  chmod 600 "$home/slurmdbd.conf"
}

start() {
  configure
  munged --force --key-file="$home/munge.key" --socket="$home/munge.socket" --pid-file="$home/munged.pid" \
    --log-file="$home/munged.log" --seed-file="$home/munge.seed"
  mariadb-install-db --user=root --datadir="$home/data" --auth-root-authentication-method=normal \
    >"$home/mariadb-install.log" 2>&1
  database=(mariadb --no-defaults --socket="$home/mariadb.socket" --user=root)
  setsid mariadbd --no-defaults --user=root --datadir="$home/data" --socket="$home/mariadb.socket" --bind-address=127.0.0.1 \
    --port=$database_port --pid-file="$home/mariadbd.pid" >"$home/mariadbd.log" 2>&1 </dev/null &
  await "${database[@]}" --execute "select 1"
  "${database[@]}" --execute "create database slurm; create user 'slurm'@'%' identified by 'slurm';
    create user 'slurm'@'localhost' identified by 'slurm'; grant all on slurm.* to 'slurm'@'%';
    grant all on slurm.* to 'slurm'@'localhost';"
  slurmdbd </dev/null >/dev/null 2>&1
  await sacctmgr --immediate show cluster
  sacctmgr --immediate add cluster snowwolf >/dev/null 2>&1 || true # an old one is as good
  slurmctld </dev/null >/dev/null 2>&1
  await scontrol ping
  slurmd </dev/null >/dev/null 2>&1
  await sh -c "sinfo --noheader --format=%t | grep -qx idle"
}

case $action in
  start) trap 'stop' ERR; start ;;
  stop) stop ;;
  *) echo "slurm.sh: start FOLDER or stop FOLDER, not $action" >&2; exit 2 ;;
esac
