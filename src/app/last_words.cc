#include "app/last_words.h"

#include <sys/prctl.h>

#include <boost/system/system_error.hpp>
#include <cstdlib>
#include <new>
#include <system_error>

#include "runtime/log.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::StartupError;

namespace {

constexpr const char* out_of_memory =
    "out of memory; raise the limit (ulimit -v, or the container's memory), or lower --cache-bytes or "
    "--threads";
constexpr const char* thread_refused =
    "the system refuses another thread; raise the limit of threads (ulimit -u, or the container's pids) or "
    "of memory "
    "(ulimit -v), or lower --threads";

std::string words(const std::error_code& code, const std::string& what) {
  if (code == std::errc::resource_unavailable_try_again) return thread_refused;
  if (code == std::errc::not_enough_memory) return out_of_memory;
  if (code == std::errc::too_many_files_open || code == std::errc::too_many_files_open_in_system) {
    return "too many open files; raise the limit (ulimit -n), or lower --threads";
  }
  return what;
}

[[noreturn]] void end_program() noexcept {
  try {
    runtime::log_failure(last_words(std::current_exception()));
  } catch (...) {  // there is not even memory for words
  }
  runtime::flush_log();
  if (::prctl(PR_GET_DUMPABLE) == 1) std::abort();
  std::_Exit(StartupError::refused_by_the_machine);
}

}  // namespace

std::string last_words(const std::exception_ptr& error) {
  if (!error) return thread_refused;
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return out_of_memory;
  } catch (const std::system_error& refused) {
    return words(refused.code(), refused.what());
  } catch (const boost::system::system_error& refused) {  // which is none of the others
    return words(refused.code(), refused.what());
  } catch (const std::exception& other) {
    return other.what();
  } catch (...) {
    return "an exception of an unknown kind";
  }
}

void end_by_last_words() noexcept {
  std::set_terminate(end_program);
}

}  // namespace tracker::app
