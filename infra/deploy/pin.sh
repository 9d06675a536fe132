#!/usr/bin/env bash
# Pins base images and build steps by digest, in place: `name:tag` becomes `name:tag@sha256:…`.
#
#   infra/deploy/pin.sh           resolves every tag again and rewrites the files; commit the changes
#   infra/deploy/pin.sh --check   fails and lists the images that are not pinned; asks no registry
#
# Needs crane, or docker with buildx, to ask the registries.
set -euo pipefail
cd "${PIN_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"

readonly FILES=(cloudbuild.yaml infra/deploy/promote.yaml infra/Dockerfile infra/local/engines/images.yaml)

# Prints every image in the files: `FROM image` in a Dockerfile, `name: image` in a build step. Ignores build stages.
images() {
  sed -nE -e 's/^FROM ([^ ]+).*/\1/p' -e 's/^ +name: ([^ ]+)$/\1/p' "${FILES[@]}" | sort -u
}

digest_of() {
  if command -v crane >/dev/null; then
    crane digest "$1"
  else
    docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
  fi
}

unpinned() { images | grep -Ev '@sha256:[0-9a-f]{64}$' || true; }

case "${1:-}" in
  --check)
    found=$(unpinned)
    if [[ -n $found ]]; then
      echo 'not pinned by digest:' >&2
      echo "$found" >&2
      echo 'run infra/deploy/pin.sh and commit the result' >&2
      exit 1
    fi
    ;;
  '')
    if ! command -v crane >/dev/null && ! command -v docker >/dev/null; then
      echo 'pin.sh needs crane, or docker with buildx, to ask the registries for digests' >&2
      exit 1
    fi
    # Resolve all digests before changing a file, so that a registry outage leaves no half-pinned files.
    edits=()
    while read -r image; do
      tagged=${image%@*}
      digest=$(digest_of "$tagged")
      if [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
        echo "the registry gave no digest for ${tagged}: ${digest:-nothing}" >&2
        exit 1
      fi
      edits+=(-e "s#(^FROM |^ +name: )${tagged//./\\.}(@sha256:[0-9a-f]{64})?( |\$)#\1${tagged}@${digest}\3#")
      if [[ $image != "${tagged}@${digest}" ]]; then echo "${tagged}: ${digest}"; fi
    done < <(images)
    for file in "${FILES[@]}"; do
      pinned=$(mktemp)
      sed -E "${edits[@]}" "$file" >"$pinned"
      cat "$pinned" >"$file"
      rm "$pinned"
    done
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    [[ $1 == --help ]]
    ;;
esac
