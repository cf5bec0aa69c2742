# Completion for bash: osp-run, osp-boot, osp, pipd and pip. Source it, or put it where bash-completion looks.

_osp_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_osp_run() {
  local current=$2 previous=$3 i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --ns | -m | -b | -e | -u | --chdir | --root) ((++i)) ;;
      --) ((++i)); break ;;
      -* | =) ;;
      *) break ;;
    esac
  done
  if ((i < COMP_CWORD)); then
    compopt -o default
    return
  fi
  case $previous in
    --ns | --root) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --chdir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    -e | -u) mapfile -t COMPREPLY < <(compgen -v -- "$current") ;;
    -m | -b) compopt -o default ;;
    *)
      if [[ $current == -* ]]; then
        _osp_words '--ns -m -b -e -u --root --bare-root --chdir --trace --threads=fibers --help --version' "$current"
      else
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
      fi
      ;;
  esac
}

_osp_boot() {
  local current=$2 previous=$3 i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --ns | -m | -b | -e | -u | --chdir | --root | --add | --memory | --smp | --machine | --timeout) ((++i)) ;;
      --) ((++i)); break ;;
      -* | =) ;;
      *) break ;;
    esac
  done
  if ((i < COMP_CWORD)); then
    compopt -o default
    return
  fi
  case $previous in
    --ns | --root | --add) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --chdir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    -e | -u) mapfile -t COMPREPLY < <(compgen -v -- "$current") ;;
    --machine) _osp_words 'microvm q35' "$current" ;;
    -m | -b | --memory | --smp | --qemu-arg | --timeout) ;;
    *)
      if [[ $current == -* ]]; then
        _osp_words '--ns -m -b -e -u --chdir --trace --root --add --memory --smp --machine --qemu-arg --timeout --print-command
          --help --version' "$current"
      else
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
      fi
      ;;
  esac
}

# The pids of the processes that run in Osprey.
_osp_pids() { _osp_words "$(osp ps 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }')" "$1"; }

_osp() {
  local command=${COMP_WORDS[1]-}
  if ((COMP_CWORD == 1)); then
    _osp_words 'ps status ns fd maps stack checkpoint restore image key delegate agent mount unmount --help --version' "$2"
    return
  fi
  case $command:$2 in
    ps:*) _osp_words '--json --help' "$2" ;;
    checkpoint:-*) _osp_words '--output --leave-running --force --help' "$2" ;;
    checkpoint:*) if [[ $3 == -o || $3 == --output ]]; then compopt -o default; else _osp_pids "$2"; fi ;;
    restore:-*) _osp_words '--files --trace --help' "$2" ;;
    restore:*) if [[ $3 == --files ]]; then _osp_words 'keep refuse truncate' "$2"; else compopt -o default; fi ;;
    image:-*) _osp_words '--json --maps --help' "$2" ;;
    image:*) if ((COMP_CWORD == 2)); then _osp_words 'show check' "$2"; else compopt -o default; fi ;;
    key:-*) _osp_words '--keys --rights --path --server --json --help' "$2" ;;
    key:*)
      if ((COMP_CWORD == 2)); then
        _osp_words 'make show trust revoke accept inspect' "$2"
      elif [[ $3 == --rights ]]; then
        _osp_words 'r rw' "$2"
      else
        compopt -o default
      fi
      ;;
    delegate:-*) _osp_words '--keys --to --rights --path --until --server --more --from --help' "$2" ;;
    agent:-*) _osp_words '--socket --rights --path --life --help' "$2" ;;
    delegate:* | agent:*)
      if [[ $3 == --rights ]]; then
        _osp_words 'r rw' "$2"
      elif [[ $command == agent && $3 != --* ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$2")
      else
        compopt -o default
      fi
      ;;
    mount:-*) _osp_words '-f --foreground -o --allow-other --log --help' "$2" ;;
    mount:*)
      if [[ $3 == -o ]]; then
        _osp_words 'ro rw allow_other' "$2"
      elif [[ $3 == --log ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$2")
      else
        mapfile -t COMPREPLY < <(compgen -d -- "$2")
      fi
      ;;
    unmount:-*) _osp_words '-l --lazy --help' "$2" ;;
    unmount:*) _osp_words "$(findmnt -rno TARGET -t fuse.osp 2>/dev/null)" "$2" ;;
    *) _osp_pids "$2" ;;
  esac
}

_pipd() {
  case $3 in
    --export | --store | --state | --keys) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    --listen) _osp_words 'unix: tcp: udp:' "$2" ;;
    --access) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    *) _osp_words '--export --store --listen --state --keys --access --in-clear --read-only --help --version' "$2" ;;
  esac
}

_pip() {
  if ((COMP_CWORD == 1)); then
    _osp_words 'ls cat cp stat tree rm mkdir mv write versions diff restore store --timeout --help --version' "$2"
  elif ((COMP_CWORD == 2)) && [[ ${COMP_WORDS[1]} == store ]]; then
    _osp_words 'check gc stat import export' "$2"
  elif [[ $2 == -* ]]; then
    _osp_words '--json --long --recursive --dir --parents --append --depth --version --at --keep --help' "$2"
  else
    compopt -o default
  fi
}

complete -F _osp_run osp-run
complete -F _osp_boot osp-boot
complete -F _osp osp
complete -F _pipd pipd
complete -F _pip pip
