#!/usr/bin/env bash
# A network outside of a cluster, as that of people at home: it has one way out, to the node, and no route to the addresses of pods. It is there until
# stdin is closed; what is in it goes with it.
# Usage: outside.sh DIRECTORY NODE NETWORK PREFIX
# DIRECTORY is for its files, NODE is the pid of a node. NETWORK is what its addresses begin with, as in 198.51.100. or 2001:db8::, and PREFIX how many bits
# are the same in all.
# Once the file DIRECTORY/ready exists, it has the pid of a process in the network. DIRECTORY/hosts says which names are known there, and Firefox trusts the
# authority whose certificate is DIRECTORY/authority.crt.
set -euo pipefail
directory=$1 node=$2 network=$3 prefix=$4
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

ip link set lo up
ip link add eth0 type veth peer name outside0 netns "$node"
# An address of IPv6 can be used at once, without asking whether another machine has it.
[[ $network == *:* ]] && at_once=(nodad) || at_once=()
nsenter --target "$node" --net sh -c "ip address add ${network}1/$prefix dev outside0 ${at_once[*]} && ip link set outside0 up"
ip address add "${network}2/$prefix" dev eth0 "${at_once[@]}"
ip link set eth0 up
ip route add default via "${network}1"
# A copy, because Firefox may have no directory there to mount something on.
cp -a /etc "$directory/etc"
cp "$directory/hosts" "$directory/etc/hosts"
mkdir -p "$directory/etc/firefox/policies"
echo '{"policies": {"Certificates": {"Install": ["'"$directory/authority.crt"'"]}}}' >"$directory/etc/firefox/policies/policies.json"
mount --bind "$directory/etc" /etc
echo $$ >"$directory/pid"
mv "$directory/pid" "$directory/ready"
while read -r _; do :; done
