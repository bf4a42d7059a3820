import type { shells } from "../options.ts";

type Shell = (typeof shells)[number];

/**
 * What a shell runs once to complete `milvus-backup`: each Tab asks the command itself (`milvus-backup __complete -- WORDS`), which answers a
 * line a candidate, value and description parted by a tab, or `:files`. Words are handed on as they are, and never evaluated. Its exit code says
 * nothing: after names it is that of a command that leaves at once.
 */
export function completionScript(shell: Shell): string {
  return scripts[shell];
}

const bash = `# milvus-backup: completion for bash. In ~/.bashrc: source <(milvus-backup completion bash)
_milvus_backup() {
  local answer line word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  answer=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  # bash takes = for a word of its own, and completes what stands behind it
  [[ $word == "=" ]] && word=""
  if [[ $answer == ":files" ]]; then
    compopt -o filenames
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
    return
  fi
  while IFS= read -r line; do
    line="\${line%%$'\\t'*}"
    [[ -n $line && $line == "$word"* ]] && COMPREPLY+=("$line")
  done <<< "$answer"
}
complete -F _milvus_backup milvus-backup
`;

const zsh = `#compdef milvus-backup
# milvus-backup: completion for zsh. In ~/.zshrc, after compinit: source <(milvus-backup completion zsh)
_milvus_backup() {
  local answer line
  local -a described
  answer="$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"
  if [[ $answer == ":files" ]]; then
    [[ \${words[CURRENT]} == --*=* ]] && compset -P '*='
    _files
    return
  fi
  for line in "\${(@f)answer}"; do
    [[ -n $line ]] && described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( $#described )) && _describe 'milvus-backup' described
}
if [[ $funcstack[1] == _milvus_backup ]]; then _milvus_backup "$@"; else compdef _milvus_backup milvus-backup; fi
`;

const fish = `# milvus-backup: completion for fish. In ~/.config/fish/config.fish: milvus-backup completion fish | source
function __milvus_backup_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l answer ($before[1] __complete -- $before[2..-1] "$word" 2>/dev/null)
    if test "$answer[1]" = ":files"
        set -l option (string match -r -- '^--[^=]+=' "$word")
        for path in (__fish_complete_path (string replace -- "$option" "" "$word"))
            echo -- "$option$path"
        end
    else
        string join \\n -- $answer
    end
end
complete -c milvus-backup -f -a '(__milvus_backup_complete)'
`;

const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
