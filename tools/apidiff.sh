#!/usr/bin/env bash
# Compares the public API of the working tree with that of a revision, such as
# the tag of the last release, and says which changes are compatible.
#
#	tools/apidiff.sh REVISION
#
# It fails for incompatible changes, unless ALLOW=1: before 1.0.0 a minor version
# may have some, and the release notes list them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if (($# != 1)); then
	echo "usage: tools/apidiff.sh REVISION" >&2
	exit 2
fi

work=$PWD/.cache/apidiff
mkdir -p .cache/bin
go build -modfile=tools/go.mod -o .cache/bin/apidiff golang.org/x/exp/cmd/apidiff
rm -rf "$work"
mkdir -p "$work/tree"
git archive "$1" | tar -x -C "$work/tree"

# quietly runs apidiff without the packages it says to ignore.
quietly() {
	"$work/../bin/apidiff" "$@" 2> >(grep -v '^Ignoring internal package' >&2)
}

# report MODULE FOLDER
report() {
	[[ -e $work/tree/$2/go.mod && -e $2/go.mod ]] || return 0
	local old=$work/old.export text
	(cd "$work/tree/$2" && quietly -m -w "$old" "$1")
	text=$(cd "$2" && quietly -m "$old" "$1")
	echo "$1 since $revision"
	echo "${text:-no change}"
	if grep -q '^Incompatible changes:' <<<"$text"; then
		incompatible=1
	fi
}

revision=$1
incompatible=0
report github.com/go-lro/lro .
report github.com/go-lro/lro/temporal temporal
report github.com/go-lro/lro/lrovanguard lrovanguard
rm -rf "$work"
if ((incompatible)) && [[ ${ALLOW:-} != 1 ]]; then
	echo "apidiff: incompatible changes" >&2
	exit 1
fi
