#pragma once

#include <string>
#include <string_view>

namespace tracker::link {

/// The two streams of bytes of one connection. Belongs to its event loop's thread. Its end closes the connection, and its
/// user is called no more.
class Transport {
 public:
  /// Hears what happens. May destroy the transport during a call.
  class User {
   public:
    /// Valid during the call.
    virtual void on_bytes(std::string_view bytes) = 0;
    /// write() may be called again.
    virtual void on_writable() = 0;
    /// Nothing more will come. `how` is said in words.
    virtual void on_end(const std::string& how) = 0;

   protected:
    ~User() = default;
  };

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Begins to read. `user` outlives the transport.
  virtual void start(User& user) = 0;

  /// Writes what it can, and takes that off the front of `out`. Answers whether it was all. If not, on_writable() tells
  /// when to go on; after an error, on_end() is called instead.
  virtual bool write(std::string& out) = 0;
};

}  // namespace tracker::link
