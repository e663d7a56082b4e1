#include "settings/help_text.h"

#include <sstream>
#include <utility>
#include <vector>

namespace tracker::settings {

namespace {

constexpr std::size_t columns_max = 80;

/// A flag stays with the word before it, because a line that begins with a hyphen looks like a setting.
std::vector<std::string> words_of(const std::string& paragraph) {
  std::istringstream stream(paragraph);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    if (word.starts_with('-') && !words.empty()) {
      words.back() += " " + word;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

std::string wrapped_paragraph(const std::string& paragraph, const std::string& margin) {
  std::string lines;
  std::string line;
  for (const auto& word : words_of(paragraph)) {
    if (!line.empty() && margin.size() + line.size() + 1 + word.size() > columns_max) {
      lines += margin + std::exchange(line, "") + "\n";
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return lines + margin + line + "\n";
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::istringstream paragraphs{std::string(text)};
  std::string lines;
  for (std::string paragraph; std::getline(paragraphs, paragraph);) {
    if (paragraph.empty()) {
      lines += "\n";
    } else if (paragraph.starts_with(' ')) {
      lines += margin + paragraph + "\n";
    } else {
      lines += wrapped_paragraph(paragraph, margin);
    }
  }
  return lines;
}

}  // namespace tracker::settings
