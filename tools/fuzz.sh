#!/usr/bin/env bash
# Looks for new inputs with each fuzz target for a while: tools/fuzz.sh [TIME].
# A target that fails does not keep the others from their turn. Its input stays
# in testdata/fuzz of its package: commit it with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${1:-2m}
failed=()

# fuzz runs the targets of one module.
fuzz() {
	local module=$1 listing targets package name out code
	# "go test -list" prints the targets of a package, then a line that ends them.
	listing=$(cd "$module" && go test -list='^Fuzz' ./...)
	targets=$(awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' <<<"$listing")
	if [[ -z $targets ]]; then
		echo "fuzz: found no target in:" >&2
		echo "$listing" >&2
		exit 1
	fi
	while read -r package name; do
		echo "fuzz: $package $name for $fuzztime"
		code=0
		out=$(cd "$module" && go test -run='^$' -fuzz="^$name\$" -fuzztime="$fuzztime" "$package" 2>&1 </dev/null) || code=$?
		if ((code == 0)); then
			tail -n 3 <<<"$out"
			continue
		fi
		echo "$out"
		# Go 1.26 may report the end of the fuzzing time as a failure of its own
		# (go.dev/issue/75804). A real one names the input that failed.
		if grep -qx '    context deadline exceeded' <<<"$out" && ! grep -qE 'Failing input written to|testing seed corpus entry' <<<"$out"; then
			echo "fuzz: $name only ran out of time (go.dev/issue/75804)"
			continue
		fi
		failed+=("$package $name")
	done <<<"$targets"
}

for module in . temporal lrovanguard; do
	fuzz "$module"
done
# Of the shell, and of all it has started: user and system.
echo "fuzz: processor time:"
times
if ((${#failed[@]} > 0)); then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	git ls-files --others --modified -- '*/testdata/fuzz/*' 'testdata/fuzz/*' | sed 's/^/fuzz: commit with the fix: /' >&2
	exit 1
fi
