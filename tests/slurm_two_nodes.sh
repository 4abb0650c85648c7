#!/usr/bin/env bash
# A real Slurm on this machine, for test_slurm.py: two nodes that are both this machine, each with two
# GPUs that are empty files; as root, with slurm-wlm and munge installed, on loopback alone. While it
# runs, /etc/hosts has a line more.
#   slurm_two_nodes.sh start <folder>    then export SLURM_CONF=<folder>/slurm.conf
#   slurm_two_nodes.sh stop <folder>
set -euo pipefail
action=$1 folder=$(realpath -m "$2")
hosts="127.0.0.1 node1 node2 # slurm_two_nodes.sh"

if [ "$action" = stop ]; then
    for file in "$folder"/*.id; do
        [ -e "$file" ] || continue
        kill "$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
    done
    others=$(grep -vxF "$hosts" /etc/hosts) && echo "$others" > /etc/hosts
    exit 0
fi

mkdir -p "$folder"/{state,spool-node1,spool-node2,log}
touch "$folder"/gpu{0,1}
grep -qxF "$hosts" /etc/hosts || echo "$hosts" >> /etc/hosts
cat > "$folder/slurm.conf" <<CONF
ClusterName=two
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmdSpoolDir=$folder/spool-%n
StateSaveLocation=$folder/state
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
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
GresTypes=gpu
NodeName=node1 NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=8000 Gres=gpu:2 State=UNKNOWN
NodeName=node2 NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=node1,node2 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
echo "NodeName=node[1-2] Name=gpu File=$folder/gpu[0-1]" > "$folder/gres.conf"

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
for node in node1 node2; do
    start "slurmd-$node" slurmd -D -f "$SLURM_CONF" -N "$node"
done
for _ in $(seq 30); do
    sleep 1
    [ "$(sinfo -h -p debug -t idle -o %D 2>/dev/null)" = 2 ] && exit 0
done
echo "Slurm did not come up: see $folder/log" >&2
exit 1
