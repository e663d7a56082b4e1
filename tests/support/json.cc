// Boost.JSON's own code, compiled here once. Debian's headers are enough, and no Boost library is linked.
#include <boost/json/src.hpp>
