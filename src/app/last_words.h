#pragma once

#include <exception>
#include <string>

namespace tracker::app {

/// Why the program cannot go on, in one line that names the limit that was met, if it was one, and the remedy.
/// Null: an exception that was lost, as where the start of a thread fails within a library.
std::string last_words(const std::exception_ptr& error);

/// An exception that nobody catches, on whichever thread, ends the program with one line and exit 1. With
/// --core-dumps it then ends it by SIGABRT, as it would by itself.
void end_by_last_words() noexcept;

}  // namespace tracker::app
