#!/usr/bin/env bash
# A real Slurm of one node on this machine, for test_slurm.py; as root, with slurm-wlm and munge
# installed, on loopback alone.
#   slurm_one_node.sh start <folder>    then export SLURM_CONF=<folder>/slurm.conf
#   slurm_one_node.sh stop <folder>
set -euo pipefail
action=$1 folder=$(realpath -m "$2")

if [ "$action" = stop ]; then
    for file in "$folder"/*.id; do
        [ -e "$file" ] || continue
        kill "$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
    done
    exit 0
fi

mkdir -p "$folder"/{state,spool,log}
cat > "$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmUser=root
SlurmdUser=root
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MinJobAge=600
KillWait=10
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF

start() {
    local name=$1
    shift
    setsid "$@" > "$folder/log/$name.out" 2>&1 < /dev/null &
    echo $! > "$folder/$name.id"
}
install -d -o munge -g munge /run/munge
if ! munge -n > /dev/null 2>&1; then
    start munged runuser -u munge -- munged --foreground
    sleep 2
fi
export SLURM_CONF="$folder/slurm.conf"
start slurmctld slurmctld -D -f "$SLURM_CONF"
sleep 2
start slurmd slurmd -D -f "$SLURM_CONF" -N localhost
for _ in $(seq 30); do
    sleep 1
    [ "$(sinfo -h -p debug -t idle -o %D 2>/dev/null)" = 1 ] && exit 0
done
echo "Slurm did not come up: see $folder/log" >&2
exit 1
