#pragma once

#include <exception>
#include <string>

namespace tracker::app {

/// Why the program cannot go on, in one line. If a limit was met, the line names it and the remedy. Null stands for an
/// exception that was lost, for example when a library fails to start a thread.
std::string last_words(const std::exception_ptr& error);

/// Makes an exception that nobody catches, on any thread, end the program with one line and exit 1; with --core-dumps,
/// with one line and SIGABRT.
void end_by_last_words() noexcept;

}  // namespace tracker::app
