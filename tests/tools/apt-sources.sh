# The system's own sources of Debian packages, with further suites of the same release beside them, in a folder of ours: what is not installed needs no change of the
# system's lists, and whatever mirror the system uses is used. Sourced; needs a function `fail`.

# own_sources FOLDER SUITE... : writes FOLDER/sources.list and FOLDER/sources.list.d with these suites from the source that the system has for its release.
own_sources() {
    folder=$1
    shift
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mkdir -p "$folder/sources.list.d" "$folder/lists/partial" "$folder/archives/partial"
    : >"$folder/sources.list"
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        # The first stanza is the release's; security updates, in a later one, have no backports.
        awk 'BEGIN { RS = "" } NR == 1' "$file" | sed "s/^Suites:.*/Suites: $*/" >"$folder/sources.list.d/$(basename "$file")"
        break
    done
    if [ -s /etc/apt/sources.list ]; then
        line=$(grep -E "^deb .* $codename " /etc/apt/sources.list | head -n 1)
        [ -z "$line" ] || for add in "$@"; do echo "$line" | sed "s/ $codename / $add /"; done >"$folder/sources.list"
    fi
    [ -s "$folder/sources.list" ] || [ -n "$(ls "$folder/sources.list.d")" ] || fail "apt has no source of Debian's packages: see /etc/apt"
}
