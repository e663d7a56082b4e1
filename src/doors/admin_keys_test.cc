#include "doors/admin_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "support/temporary_directory.h"

namespace tracker::doors {
namespace {

// printf %s alpha | sha256sum
constexpr const char* digest_of_alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
constexpr const char* digest_of_beta = "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753";

class AdminKeysTest : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file()) << text; }
  std::string file() const { return directory_.path() / "keys"; }
  std::string refusal_of(const std::string& text) const {
    write(text);
    try {
      static_cast<void>(AdminKeys(file()));
      return "";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  const tests::TemporaryDirectory directory_;
};

TEST_F(AdminKeysTest, FindsTheHolderOfAKey) {
  write(std::string("# who may do what\n\nana read ") + digest_of_alpha + "\n  bob\twrite " + digest_of_beta +
        "\n");
  const AdminKeys keys(file());
  const auto ana = keys.find("Bearer alpha");
  ASSERT_TRUE(ana);
  EXPECT_EQ(ana->name, "ana");
  EXPECT_FALSE(ana->may_write);
  EXPECT_TRUE(keys.find("bearer beta")->may_write);
  for (const char* wrong :
       {"", "Bearer ", "Bearer", "alpha", "Basic alpha", "Bearer  alpha", "Bearer alpha ", "Bearer Alpha"})
    EXPECT_FALSE(keys.find(wrong)) << wrong;
  EXPECT_FALSE(keys.find(std::string("Bearer ") + digest_of_alpha)) << "a digest is no key";
}

TEST_F(AdminKeysTest, ANameMayHaveSeveralKeys) {
  write(std::string("ana read ") + digest_of_alpha + "\nana write " + digest_of_beta + "\n");
  const AdminKeys keys(file());
  EXPECT_FALSE(keys.find("Bearer alpha")->may_write);
  EXPECT_TRUE(keys.find("Bearer beta")->may_write);
}

TEST_F(AdminKeysTest, AFileThatMakesNoSenseIsRefused) {
  EXPECT_THAT(refusal_of(""), testing::HasSubstr("has no keys"));
  EXPECT_THAT(refusal_of("# nothing\n"), testing::HasSubstr("has no keys"));
  EXPECT_THAT(refusal_of("\nana read alpha\n"), testing::HasSubstr("line 2"));
  EXPECT_THAT(refusal_of(std::string("ana ") + digest_of_alpha), testing::HasSubstr("line 1"));
  EXPECT_THAT(refusal_of(std::string("ana admin ") + digest_of_alpha), testing::HasSubstr("line 1"));
  EXPECT_THAT(refusal_of(std::string("ana read ") + digest_of_alpha + " x"), testing::HasSubstr("line 1"));
  EXPECT_THROW(AdminKeys("/nowhere"), std::runtime_error);
}

TEST_F(AdminKeysTest, IsReadAgain) {
  write(std::string("ana read ") + digest_of_alpha);
  AdminKeys keys(file());
  write("ana read nonsense");
  EXPECT_THROW(keys.read_again(), std::runtime_error);
  EXPECT_TRUE(keys.find("Bearer alpha")) << "the keys so far stay";
  write(std::string("ana read ") + digest_of_beta);
  keys.read_again();
  EXPECT_FALSE(keys.find("Bearer alpha"));
  EXPECT_TRUE(keys.find("Bearer beta"));
}

}  // namespace
}  // namespace tracker::doors
