#include "settings/manual.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::settings {

namespace {

constexpr const char* environment =
    "Each setting can also be given by the environment variable in brackets. The flag beats the variable, "
    "which beats the default. An empty variable counts as not set.";

constexpr const char* services_end = "It was drained, or ended before it served.";
constexpr const char* commands_end = "It did what it was asked to do.";

/// Text as roff shows it, byte for byte.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string line_of(const std::string& text) {
  return (text.starts_with('.') ? "\\&" : "") + roff(text) + "\n";
}

/// Paragraphs, as wrapped() takes them: a line that begins with a space stays as it is.
std::string paragraphs(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  bool as_it_is = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const bool stays = line.starts_with(' ');
    if (as_it_is && !stays) out += ".fi\n";
    if (!out.empty() && !(as_it_is && stays)) out += ".PP\n";
    if (stays && !as_it_is) out += ".nf\n";
    as_it_is = stays;
    out += line_of(line);
  }
  return out + (as_it_is ? ".fi\n" : "");
}

std::string item(const std::string& bold, const std::string& italic, const std::string& text) {
  return ".TP\n\\fB" + roff(bold) + "\\fR" + (italic.empty() ? "" : " \\fI" + italic + "\\fR") + "\n" +
         line_of(text);
}

std::string top(const std::string& page, const std::string& version, const std::string& summary) {
  return ".TH " + roff(page) + " 1 \"\" \"" + version + "\" \"tracker\"\n.SH NAME\n" +
         line_of(page + " - " + summary.substr(0, summary.find('.')));
}

std::string see_also(const Commands& commands, const std::string& but) {
  std::vector<std::string> pages{"tracker"};
  for (const auto& command : commands) pages.push_back("tracker-" + command.name);
  std::erase(pages, but);
  std::string lines = ".SH SEE ALSO\n";
  for (const auto& page : pages) lines += ".BR " + roff(page) + (page == pages.back() ? " (1)\n" : " (1),\n");
  return lines;
}

std::string exit_status(const std::string& success) {
  return ".SH EXIT STATUS\n" + item("0", "", success) +
         item("1", "", "It failed, or the machine refuses it. One line says why.") +
         item("2", "", "A setting is wrong. One line names it, and says what would be right.");
}

std::string page_of(const Command& command, const Commands& commands, const std::string& version) {
  const auto name = "tracker-" + command.name;
  auto page = top(name, version, command.summary) + ".SH SYNOPSIS\n.nf\n";
  for (const auto& usage : command.table.usages()) page += line_of(usage + " [SETTING...]");
  page += ".fi\n.SH DESCRIPTION\n" + line_of(command.summary);
  const auto arguments = command.table.arguments();
  if (!arguments.empty()) page += ".SH ARGUMENTS\n";
  for (const auto& argument : arguments) page += item(argument.words, "", argument.help);
  page += ".SH OPTIONS\n";
  std::string heading;
  for (const auto& [its_heading, setting, is_switch] : command.table.listed()) {
    if (heading != its_heading) page += std::string(".SS ") + its_heading + "\n";
    heading = its_heading;
    page += item(setting.flag, is_switch ? "" : setting.value_name, setting.help) + ".br\n" +
            line_of("[" + facts_of(setting, Readers::on_any_machine) + "]");
  }
  page += ".SS Help\n" + item("--help", "", "Prints all this.");
  page += ".SH NOTES\n" + paragraphs(command.details);
  page += ".SH ENVIRONMENT\n" + line_of(environment);
  return page + exit_status(command.is_service ? services_end : commands_end) + see_also(commands, name);
}

std::string page_of(const Commands& commands, const std::string& version) {
  auto page = top("tracker", version, "counts the requests of each token at each path") + ".SH SYNOPSIS\n" +
              line_of("tracker COMMAND [SETTING...]") + ".SH DESCRIPTION\n" + paragraphs(about_program()) +
              ".SH COMMANDS\n";
  for (const auto& [words, summary] : summaries(commands)) page += item(words, "", summary);
  page += ".SH EXAMPLES\n" + paragraphs(first_steps());
  return page + exit_status(commands_end) + see_also(commands, "tracker");
}

void write_page(const std::filesystem::path& path, const std::string& page) {
  namespace fs = std::filesystem;
  std::ofstream file(path);
  file << page << std::flush;
  if (!file.good()) {
    throw StartupError(StartupError::refused_by_the_machine,
                       path.string() + ": cannot be written; name a directory that this user may write to");
  }
  using fs::perms;
  fs::permissions(path, perms::owner_read | perms::owner_write | perms::group_read | perms::others_read);
}

}  // namespace

void write_manual(const Commands& commands, const std::string& version, const std::string& directory) {
  std::error_code refused;
  std::filesystem::create_directories(directory, refused);
  if (refused) {
    throw StartupError(StartupError::refused_by_the_machine,
                       shown(directory) + ": cannot make this directory: " + refused.message());
  }
  const auto to = std::filesystem::path(directory);
  write_page(to / "tracker.1", page_of(commands, version));
  for (const auto& command : commands)
    write_page(to / ("tracker-" + command.name + ".1"), page_of(command, commands, version));
}

}  // namespace tracker::settings
