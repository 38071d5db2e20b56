#!/usr/bin/env bash
# Installs official clients, at the versions pinned here and next to each
# program, below .cache/interop of the checkout. What is there already stays.
#
#	interop/install.sh                  all of them
#	interop/install.sh python node      these
#
# Afterwards there are
#
#	.cache/interop/python/bin/python    with google-api-core; the messages of
#	                                    proto/ are in its path
#	.cache/interop/node/bin/node        with google-gax, by NODE_PATH=
#	.cache/interop/node/node_modules
#	.cache/interop/java/lib             gax and what it needs
#	.cache/interop/java/target/classes  the classes of interop/java and of proto/
#	.cache/interop/bin/grpcurl
#
# Interpreters that are missing come from apt where that can be, as root on
# Debian. Elsewhere the script says what is missing and exits with 3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
cache=$root/.cache/interop
protos=(lro/v1/metadata.proto lro/v1/kinds.proto lro/v1/starter.proto example/library/v1/library.proto)

main() {
	(($# > 0)) || set -- python node java grpcurl
	mkdir -p "$cache/bin"
	if command -v flock >/dev/null; then # two of these at once would mix their files
		exec 9>"$cache/install.lock"
		flock 9
	fi
	local part
	for part in "$@"; do
		case $part in
		python | node | java | grpcurl) "install_$part" ;;
		*)
			echo "install: unknown part $part, want python, node, java or grpcurl" >&2
			exit 2
			;;
		esac
	done
}

# need PROGRAM PACKAGE... makes sure that PROGRAM is there.
need() {
	local program=$1
	shift
	if has "$program"; then
		return
	fi
	if command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
		apt-get update >/dev/null
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null
	fi
	if ! has "$program"; then
		echo "install: $program is missing; Debian has it in: $*" >&2
		exit 3
	fi
}

has() {
	case $1 in
	"python3 with venv") python3 -c 'import ensurepip, venv' 2>/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# fresh PART FILE... reports whether PART was built from these files as they
# are, on this checkout. Otherwise it removes what there is of it.
fresh() {
	local part=$1
	shift
	sum=$( (cat interop/install.sh "$@" && echo "$root") | cksum)
	if [[ -f $cache/$part/installed && $(<"$cache/$part/installed") == "$sum" ]]; then
		return 0
	fi
	echo "install: $part"
	rm -rf "${cache:?}/$part"
	mkdir -p "$cache/$part"
	return 1
}

# done_with PART marks it as built from what fresh was asked about.
done_with() {
	echo "$sum" >"$cache/$1/installed"
}

install_python() {
	need "python3 with venv" python3 python3-venv
	local dir=$cache/python files=("${protos[@]/#/proto/}")
	fresh python interop/python/requirements.txt "${files[@]}" && return
	python3 -m venv "$dir"
	"$dir/bin/python" -m pip install --quiet --disable-pip-version-check -r interop/python/requirements.txt
	# Only ours: googleapis-common-protos has what these import.
	local site
	site=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	"$dir/bin/python" -m grpc_tools.protoc -Iproto -Iproto/third_party --python_out="$site" --grpc_python_out="$site" "${protos[@]}"
	done_with python
}

install_node() {
	need node nodejs
	need npm npm
	local dir=$cache/node
	fresh node interop/node/package.json interop/node/package-lock.json && return
	cp interop/node/package.json interop/node/package-lock.json "$dir/"
	(cd "$dir" && npm ci --silent --ignore-scripts)
	# google-gax wants a newer Node than Debian has, so one comes with it, for the
	# systems that npm has it for.
	mkdir -p "$dir/bin"
	local node
	for node in "$dir"/node_modules/node-linux-*/bin/node "$(command -v node)"; do
		if [[ -x $node ]] && "$node" --version >/dev/null 2>&1; then
			ln -sf "$node" "$dir/bin/node"
			break
		fi
	done
	done_with node
}

install_java() {
	need javac default-jdk-headless
	need mvn maven
	local files=("${protos[@]/#/proto/}")
	fresh java interop/java/pom.xml "${files[@]}" interop/java/src/main/java/interop/*.java && return
	local log=$cache/java/maven.log
	mvn --quiet --batch-mode -f interop/java/pom.xml compile dependency:copy-dependencies >"$log" 2>&1 ||
		{ cat "$log" && exit 1; }
	done_with java
}

install_grpcurl() {
	need go golang
	[[ -x $cache/bin/grpcurl ]] && [[ $cache/bin/grpcurl -nt tools/grpcurl/go.mod ]] && return
	echo "install: grpcurl"
	go build -modfile=tools/grpcurl/go.mod -o "$cache/bin/grpcurl" github.com/fullstorydev/grpcurl/cmd/grpcurl
}

main "$@"
