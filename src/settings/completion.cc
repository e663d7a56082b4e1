#include "settings/completion.h"

#include <vector>

namespace tracker::settings {

namespace {

constexpr const char* head =
    R"(# Completes command lines of tracker in bash. Made by `tracker completion bash`.

# Adds to COMPREPLY what begins with $1 among the values that follow. FILE and DIR stand for paths.
# Of `name:REST` only `name:` is completed, and of `name:DIR` the directory, too.
_tracker_match() {
  local begun=$1 value prefix
  local -a found
  shift
  for value in "$@"; do
    found=()
    prefix=${value%:*}:
    case $value in
      FILE) _tracker_paths -f ;;
      DIR) _tracker_paths -d ;;
      *:DIR)
        if [[ $begun == "$prefix"* ]]; then
          _tracker_paths -d "$prefix"
        elif [[ $prefix == "$begun"* ]]; then
          found=("$prefix")
        fi ;;
      *:*) [[ $prefix != "$begun"* ]] || found=("$prefix") ;;
      *) [[ $value != "$begun"* ]] || found=("$value") ;;
    esac
    COMPREPLY+=("${found[@]}")
  done
}

# Sets `found` to $2 and the paths (-f, or -d for directories) that begin as `begun` does after that.
_tracker_paths() {
  mapfile -t found < <(compgen "$1" -P "${2-}" -- "${begun#"${2-}"}")
  compopt -o filenames 2> /dev/null
}

_tracker() {
  local current=${COMP_WORDS[COMP_CWORD]} word flag values flags arguments i
  local -a line=()
  COMPREPLY=()
  # bash divides words at = and : too.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 1)) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then
      line[-1]+=$word
    else
      line+=("$word")
    fi
  done
  local begun=${line[-1]} before=
  [[ $current != [=:] ]] || current=
  if ((${#line[@]} == 2)); then
    _tracker_match "$begun" @COMMANDS@ --help --version
    return
  fi
  if [[ $begun == --*=* ]]; then
    flag=${begun%%=*}
    before=$flag=
    begun=${begun#*=}
  else
    flag=${line[-2]}
  fi
  if _tracker_table "${line[1]}" "$flag"; then
    _tracker_match "$begun" $values
  elif [[ $begun == -* ]]; then
    _tracker_match "$begun" $flags
  else
    _tracker_match "$begun" $arguments
    ((${#COMPREPLY[@]})) || _tracker_match "$begun" $flags
  fi
  [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *: ]] || compopt -o nospace 2> /dev/null
  # bash replaces only what follows the last = or :.
  begun=$before$begun
  for i in "${!COMPREPLY[@]}"; do
    word=$before${COMPREPLY[i]}
    COMPREPLY[i]=${word:$((${#begun} - ${#current}))}
  done
}

# Sets `flags` and `arguments` of the command $1. Sets `values` if $2 is a flag of it that takes one, and else fails.
_tracker_table() {
  flags= arguments= values=
  case $1 in
)";

constexpr const char* tail = R"(    *) return 1 ;;
  esac
}

complete -F _tracker tracker
)";

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

/// What the value of a setting may be; empty if it is not one of a few words, and no path.
std::string values_of(const SettingTable::Setting& setting) {
  const bool is_path = setting.value_name == "FILE" || setting.value_name == "PATH";
  return is_path ? "FILE" : joined(setting.words, " ");
}

/// Of `forget NAME`, the word; of `FILE` or `TO`, a path.
std::string value_of(const SettingTable::Argument& argument) {
  const auto space = argument.words.find(' ');
  if (space != argument.words.npos) return argument.words.substr(0, space);
  return argument.words == "FILE" ? "FILE" : "DIR";
}

std::string case_of(const std::string& command, const std::vector<std::string>& flags,
                    const std::string& arguments, const std::string& values) {
  return "    " + command + ")\n      flags='" + joined(flags, " ") + "'\n      arguments='" + arguments +
         "'\n      case $2 in\n" + values + "        *) return 1 ;;\n      esac ;;\n";
}

std::string case_of(const Command& command) {
  std::vector<std::string> flags;
  std::vector<std::string> others;  // whose values cannot be completed
  std::string values;
  for (const auto& [heading, setting, is_switch] : command.table.listed()) {
    flags.push_back(setting.flag);
    const auto its_values = values_of(setting);
    if (is_switch) continue;
    if (its_values.empty()) {
      others.push_back(setting.flag);
    } else {
      values += "        " + setting.flag + ") values='" + its_values + "' ;;\n";
    }
  }
  if (!others.empty()) values += "        " + joined(others, " | ") + ") ;;\n";
  flags.push_back("--help");
  std::vector<std::string> arguments;
  for (const auto& argument : command.table.arguments()) arguments.push_back(value_of(argument));
  return case_of(command.name, flags, joined(arguments, " "), values);
}

}  // namespace

std::string bash_completion(const Commands& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command.name);
  const auto own = joined(names, " ");
  names.insert(names.end(), {"help", "version", "completion", "manual"});
  std::string script = head;
  const std::string placeholder = "@COMMANDS@";
  script.replace(script.find(placeholder), placeholder.size(), joined(names, " "));
  for (const auto& command : commands) script += case_of(command);
  script +=
      case_of("help", {}, own, "") + case_of("completion", {}, "bash", "") + case_of("manual", {}, "DIR", "");
  return script + tail;
}

}  // namespace tracker::settings
