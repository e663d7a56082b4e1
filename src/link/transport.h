#pragma once

#include <string>
#include <string_view>

namespace tracker::link {

/// The two byte streams of one connection. Loop thread only. The destructor closes the connection, and the user is not
/// called any more.
class Transport {
 public:
  /// Hears what happens. May destroy the transport during a call.
  class User {
   public:
    /// `bytes` are valid during the call.
    virtual void on_bytes(std::string_view bytes) = 0;
    /// write() may be called again.
    virtual void on_writable() = 0;
    /// Nothing more will come. `how` describes the end in words.
    virtual void on_end(const std::string& how) = 0;

   protected:
    ~User() = default;
  };

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Starts to read. `user` must outlive the transport.
  virtual void start(User& user) = 0;

  /// Writes what the connection takes, and removes that from the front of `out`. Returns whether everything was
  /// written. If not, on_writable() says when to continue. After an error, on_end() is called instead.
  virtual bool write(std::string& out) = 0;
};

}  // namespace tracker::link
