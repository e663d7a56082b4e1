# cmake -DSOURCE=DIR -DOUTPUT=FILE -P write_commit.cmake: writes FILE, a source that names the commit of DIR. A FILE that
# says so already is left as it is, so that nothing is compiled again.
set(commit "unknown")
if(EXISTS "${SOURCE}/.git")  # or else git would answer for a repository that this directory happens to lie in
  find_program(GIT git)
  if(GIT)
    set(ENV{GIT_OPTIONAL_LOCKS} 0)  # a build only looks
    execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
      OUTPUT_VARIABLE described RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed)
      set(commit "${described}")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#include "app/version.h"

namespace tracker::app {
const char* const commit = "@commit@";
}
]])
