# Functions that make a checkout ready to run; sourced by ./run and ./test.
# They say on standard error what they do, do nothing that is done already, and
# return non-zero after one clear sentence when something is missing. The caller's
# working directory is the checkout's root.

setup_needed_packages=(
  g++ cmake ninja-build ccache libcli11-dev libfmt-dev nlohmann-json3-dev libsqlite3-dev
  libarchive-dev libgtest-dev libbenchmark-dev mmdebstrap fakechroot fakeroot
  debian-archive-keyring)

setup_say() { printf 'lxss: %s\n' "$*" >&2; }

# Debian's packages that the build and the installation of Debian need.
setup_packages() {
  local package missing=() become=()
  for package in "${setup_needed_packages[@]}"; do
    # dpkg's own list: much faster than asking dpkg for each.
    [[ -e /var/lib/dpkg/info/$package.list || -e /var/lib/dpkg/info/$package:amd64.list ]] ||
      missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      setup_say "These packages are missing and only root can install them: ${missing[*]}"
      return 1
    fi
    become=(sudo)
  fi
  if ! command -v apt-get >/dev/null; then
    setup_say "These packages of Debian, or what your system calls them, are missing: ${missing[*]}"
    return 1
  fi
  setup_say "installing packages: ${missing[*]}"
  { "${become[@]}" apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive "${become[@]}" apt-get install -y -q --no-install-recommends \
      "${missing[@]}"; } >&2 || {
    setup_say "The packages could not be installed: ${missing[*]}"
    return 1
  }
}

# Configures (once) and builds the named targets with the named preset. When no
# source is newer than the last build of the same targets, that is all it finds out.
setup_build() {
  local IFS=- preset=$1 directory=build/$1 stamp newer
  shift
  stamp=$directory/.built-${*//\//_}
  if [[ -e $stamp ]]; then
    newer=$(find CMakeLists.txt CMakePresets.json abi base bench fs host kernel lxcore lxss pico tests \
      -newer "$stamp" \( -type f -o -type d \) -print -quit 2>/dev/null)
    [[ -z $newer ]] && return
  fi
  setup_packages || return
  setup_say "building ($preset)"
  # The stamp is as old as the sources that the build saw.
  mkdir -p "$directory" && : >"$stamp.new"
  if [[ ! -e $directory/build.ninja ]]; then
    cmake --preset "$preset" >"$directory/configure.log" 2>&1 || {
      cat "$directory/configure.log" >&2
      setup_say "The build could not be configured."
      return 1
    }
  fi
  ninja -C "$directory" "$@" >&2 || {
    setup_say "The build failed."
    return 1
  }
  mv "$stamp.new" "$stamp"
}

# Installs the default distribution when none is there: Debian from its mirrors,
# else a minimal one of the host's own files. The argument is the launcher.
setup_distribution() {
  local launcher=$1
  [[ -n $("$launcher" --list --quiet) ]] && return
  setup_say "installing the distribution 'debian'"
  "$launcher" --install debian --no-launch && return
  setup_say "Debian is not to be had; installing 'minimal' from this machine's own files instead"
  "$launcher" --install minimal --no-launch
}
