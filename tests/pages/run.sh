#!/bin/sh
# Runs a program of a page in a folder of its own, beside the data of the examples. usage: run.sh PROGRAM DATA
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$2"/iris.csv "$2"/digits-*-ubyte "$work"
cd "$work"
"$1"
