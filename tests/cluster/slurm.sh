#!/usr/bin/env bash
# A real Slurm on one host, for tests: slurmctld and two slurmd "nodes" with two pretend GPUs each, on
# loopback, without systemd, cgroups or accounting. For root on a throw-away Debian or Ubuntu machine.
#   slurm.sh start            install slurm-wlm and munge where missing, then start
#   slurm.sh stop             cancel all jobs and stop
#   slurm.sh fail NODE        SIGKILL the node's slurmd and all that runs on it
#   slurm.sh resume NODE      start its slurmd again
set -euo pipefail
state=/var/lib/jepa-slurm log=/var/log/jepa-slurm run=/run/jepa-slurm mark='# written by tests/cluster/slurm.sh'
host=$(hostname -s)
die() { echo "slurm.sh: $*" >&2; exit 1; }
wait_for() { # SECONDS COMMAND...: poll until it succeeds
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
[ "$(id -u)" = 0 ] || die "needs root"

configure() {
  install -d -m 755 /etc/slurm "$state" "$state/dev"
  install -d -m 755 -o slurm -g slurm "$state/ctld" "$log" "$run"
  # A pretend GPU must be a device file; a link to one will do.
  ln -sfn /dev/null "$state/dev/gpu0"; ln -sfn /dev/null "$state/dev/gpu1"
  cat > /etc/slurm/slurm.conf <<CONF
$mark
ClusterName=jepa
SlurmctldHost=$host(127.0.0.1)
# Bind to the address a name resolves to, never to all.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=slurm
AuthType=auth/munge
CredType=cred/munge
# A requeued job may start after this many seconds (default 120).
AuthInfo=cred_expire=5
StateSaveLocation=$state/ctld
SlurmctldPidFile=$run/slurmctld.pid
SlurmctldLogFile=$log/slurmctld.log
SlurmdSpoolDir=$state/%n
SlurmdPidFile=$run/slurmd-%n.pid
SlurmdLogFile=$log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Without cgroups, processes whose parent died escape Slurm.
Epilog=/etc/slurm/jepa-epilog.sh
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill,NoShared
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=256
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
SlurmdTimeout=15
SlurmctldTimeout=15
BatchStartTimeout=10
MessageTimeout=10
TCPTimeout=2
InactiveLimit=0
ReturnToService=2
MinJobAge=900
AccountingStorageType=accounting_storage/none
NodeName=node[01-02] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17002] CPUs=4 RealMemory=6000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF MaxTime=60 DefaultTime=5
PartitionName=high Nodes=ALL PriorityTier=100 PreemptMode=OFF MaxTime=60 DefaultTime=5
# A preempted job gets SIGTERM and 20 s.
PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=20 MaxTime=60 DefaultTime=5
CONF
  printf '%s\nAutoDetect=off\nNodeName=node[01-02] Name=gpu File=%s/dev/gpu[0-1]\n' "$mark" "$state" > /etc/slurm/gres.conf
  printf '%s\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n' "$mark" > /etc/slurm/cgroup.conf
  local version; version=$(slurmd -V | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
  if [ "$(printf '%s\n' 23.11 "$version" | sort -V | head -n 1)" = 23.11 ]; then
    echo 'CgroupPlugin=disabled' >> /etc/slurm/cgroup.conf
  fi
  cat > /etc/slurm/jepa-epilog.sh <<'EPILOG'
#!/bin/bash
# Ends what is left of a job on this node, found by its environment.
for env in /proc/[0-9]*/environ; do
  vars=$({ tr '\0' '\n' < "$env"; } 2>/dev/null) || continue
  case $'\n'$vars$'\n' in *$'\nSLURM_SCRIPT_CONTEXT=epilog_slurmd\n'*) continue ;; esac
  case $'\n'$vars$'\n' in *$'\nSLURM_JOB_ID='"$SLURM_JOB_ID"$'\n'*) ;; *) continue ;; esac
  case $'\n'$vars$'\n' in *$'\nSLURMD_NODENAME='"$SLURMD_NODENAME"$'\n'*) ;; *) continue ;; esac
  pid=${env#/proc/}; kill -9 "${pid%/environ}" 2>/dev/null
done
exit 0
EPILOG
  chmod 755 /etc/slurm/jepa-epilog.sh
  # Node names, and the host's own, must be loopback's; containers bind-mount the file: no rename.
  local line='127.0.0.1 node01 node02' rest
  case $(getent ahostsv4 "$host" | awk 'NR==1{print $1}') in 127.*) ;; *) line+=" $host" ;; esac
  rest=$(grep -v '# jepa-slurm$' /etc/hosts || true)
  printf '%s\n' "$line # jepa-slurm" "$rest" > /etc/hosts
}

start() {
  if ! { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null; then
    command -v apt-get >/dev/null || die "needs slurm-wlm and munge, or apt-get to install them"
    export DEBIAN_FRONTEND=noninteractive
    # The packages would start daemons of their own.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod 755 $policy; made=1; fi
    { apt-get -qq update && apt-get -qq -y install --no-install-recommends slurm-wlm munge; } >/dev/null || die "apt-get failed"
    if [ -n "$made" ]; then rm -f $policy; fi
  fi
  if [ -e /etc/slurm/slurm.conf ] && ! grep -qF "$mark" /etc/slurm/slurm.conf; then
    die "this host has a Slurm of its own (/etc/slurm/slurm.conf)"
  fi
  if scontrol ping 2>/dev/null | grep -q 'is UP'; then die "already running"; fi
  configure
  if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
    if [ ! -s /etc/munge/munge.key ]; then
      install -o munge -g munge -m 400 /dev/null /etc/munge/munge.key
      dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none
    fi
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge
    runuser -u munge -- /usr/sbin/munged
    touch "$run/started-munge"
  fi
  slurmctld
  wait_for 20 sh -c "scontrol ping | grep -q 'is UP'" || die "slurmctld does not answer; see $log"
  slurmd -N node01; slurmd -N node02
  wait_for 30 sh -c "test \$(sinfo -h -N -p main -o %T | grep -cE '^(idle|mixed|allocated)$') = 2" ||
    die "not all nodes came up; see $log"
}

end() { # PIDFILE: SIGTERM, then SIGKILL, if the process is one of Slurm's or munge
  local pid; pid=$(cat "$1" 2>/dev/null) || return 0
  rm -f "$1"
  case $(cat "/proc/${pid:-none}/comm" 2>/dev/null) in slurm*|munged) ;; *) return 0 ;; esac
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.2; done
  kill -9 "$pid" 2>/dev/null || true
}

stop() {
  grep -qsF "$mark" /etc/slurm/slurm.conf || die "not started by this script"
  squeue -h -o %A 2>/dev/null | sort -u | xargs -r scancel 2>/dev/null || true
  wait_for 20 sh -c 'test -z "$(squeue -h)"' || true
  for file in "$run"/slurmd-*.pid "$run/slurmctld.pid"; do end "$file"; done
  if [ -e "$run/started-munge" ]; then end /run/munge/munged.pid; fi
  local rest; rest=$(grep -v '# jepa-slurm$' /etc/hosts || true); printf '%s\n' "$rest" > /etc/hosts
  rm -rf "$state" "$run" /etc/slurm/{slurm,gres,cgroup}.conf /etc/slurm/jepa-epilog.sh
}

fail() {
  local steps=() tasks=() env pid parent
  for env in /proc/[0-9]*/environ; do
    pid=${env#/proc/}; pid=${pid%/environ}
    { tr '\0' '\n' < "$env"; } 2>/dev/null | grep -qx "SLURMD_NODENAME=$1" || continue
    tasks+=("$pid")
    parent=$(awk '/^PPid:/{print $2}' "/proc/$pid/status" 2>/dev/null) || continue
    case $(cat "/proc/$parent/comm" 2>/dev/null) in slurmstepd*) steps+=("$parent") ;; esac
  done
  for pid in "$(cat "$run/slurmd-$1.pid")" "${steps[@]}" "${tasks[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  rm -f "$run/slurmd-$1.pid"
}

case ${1:-} in
start) start ;;
stop) stop ;;
fail) fail "${2:?NODE}" ;;
resume) slurmd -N "${2:?NODE}" ;;
*) die "usage: slurm.sh start|stop|fail NODE|resume NODE" ;;
esac
