#include "pip/url.h"

#include <gtest/gtest.h>

namespace osp::pip {
namespace {

TEST(Url, Forms) {
  const Url plain = *parse_url("pip://host/a//b/./c/");
  EXPECT_EQ(plain.address.host, "host");
  EXPECT_EQ(plain.address.port, default_port);
  EXPECT_EQ(plain.path, "a/b/c");
  EXPECT_EQ(plain.text(), "pip://host:5640/a/b/c");
  EXPECT_EQ(parse_url("pip://[::1]:99")->address.text(), "tcp:[::1]:99");
  const Url udp = *parse_url("pip+udp://host:7/a");
  EXPECT_TRUE(udp.address.is_udp && udp.address.is_sealed());
  EXPECT_EQ(udp.address.text(), "udp:host:7");
  EXPECT_EQ(udp.text(), "pip+udp://host:7/a");
  const Url unix_url = *parse_url("pip+unix:///run/s!/a%20b");
  EXPECT_EQ(unix_url.address.unix_path, "/run/s");
  EXPECT_EQ(unix_url.path, "a b");
  EXPECT_EQ(parse_url("pip+unix:///run/s")->path, "");
}

TEST(Url, RefusesOthers) {
  for (const char* bad : {"", "http://h/", "pip://", "pip:///x", "pip://h:x/", "pip://h:99999/", "pip://[::1/",
                          "pip://h/../x", "pip+unix://s!/x"})
    EXPECT_FALSE(parse_url(bad)) << bad;
  for (const char* bad : {"", "unix:", "tcp:", "tcp::1", "here"}) EXPECT_FALSE(parse_address(bad)) << bad;
  EXPECT_EQ(parse_address("tcp:127.0.0.1:7")->port, 7);
  EXPECT_TRUE(parse_address("udp:127.0.0.1")->is_udp);
  EXPECT_FALSE(parse_address("tcp:127.0.0.1")->is_udp);
  EXPECT_EQ(parse_address("unix:/a")->text(), "unix:/a");
}

}  // namespace
}  // namespace osp::pip
