#include "cli/host_file.h"

#include <gtest/gtest.h>

#include "base/paths.h"

namespace portwright::cli {
namespace {

/// What is said of a host file with this text, without its name.
std::string said_of(const std::string& text) {
  const auto folder = base::TemporaryDirectory::create("portwright-hosts");
  const auto file = folder->path() / "hosts.json";
  EXPECT_TRUE(base::write_file(file, text));
  const auto hosts = read_host_file(file);
  if (hosts) {
    return fmt::format("{} over {}", hosts->count, hosts->backend);
  }
  return hosts.error().message.substr(file.string().size());
}

constexpr const char* kTwo =
    R"([{"ssh": "a", "ips": ["10.0.0.1"]}, {"ssh": "b", "ips": ["10.0.0.2"]}])";

TEST(HostFile, BothFormsAreRead) {
  EXPECT_EQ(said_of(kTwo), "2 over ring");
  EXPECT_EQ(
      said_of(fmt::format(
          R"({{"backend": "nccl", "envs": ["A=1"], "hosts": {}}})", kTwo)),
      "2 over nccl");
  EXPECT_EQ(
      said_of(R"({"backend": "mpi", "hosts": [{"ssh": "a"}, {"ssh": "b"}]})"),
      "2 over mpi");
  EXPECT_EQ(
      said_of(R"({"backend": "jaccl", "hosts": [
        {"ssh": "a", "ips": ["10.0.0.1"], "rdma": [null, "rdma_en2"]},
        {"ssh": "b", "ips": [], "rdma": ["rdma_en2", null]}]})"),
      ": `hosts[1].ips` is missing: the backend jaccl needs it");
}

TEST(HostFile, TheFieldAtFaultIsNamed) {
  EXPECT_EQ(said_of("[\n{\n"), ":3: this is not JSON");
  EXPECT_EQ(said_of("{}"), ": `hosts` is missing");
  EXPECT_EQ(said_of("3"), ": `hosts` is missing");
  EXPECT_EQ(said_of(R"({"hosts": {}})"), ": `hosts` has to be a list");
  EXPECT_EQ(
      said_of(R"([{"ssh": "a"}])"),
      ": `hosts` has 1: a port is shared by at least two");
  EXPECT_EQ(
      said_of(R"([{"ips": ["10.0.0.1"]}, {}])"), ": `hosts[0].ssh` is missing");
  EXPECT_EQ(
      said_of(R"([{"ssh": "a b"}, {}])"),
      ": `hosts[0].ssh` has to be the name of a host");
  EXPECT_EQ(
      said_of(R"([{"ssh": "a", "ip": ["10.0.0.1"]}, {}])"),
      ": `hosts[0].ips` is missing: the backend ring needs it");
  EXPECT_EQ(
      said_of(R"([{"ssh": "a", "ips": [1]}, {}])"),
      ": `hosts[0].ips[0]` has to be an address");
  EXPECT_EQ(
      said_of(R"([{"ssh": "a", "ips": ["10.0.0.1"]}, 3])"),
      ": `hosts[1]` has to be an object with `ssh` and `ips`");
  EXPECT_EQ(
      said_of(fmt::format(R"({{"backend": "rings", "hosts": {}}})", kTwo)),
      ": `backend` is \"rings\": there are ring, mpi, nccl, jaccl, "
      "jaccl-ring");
  EXPECT_EQ(
      said_of(fmt::format(R"({{"envs": ["A"], "hosts": {}}})", kTwo)),
      ": `envs[0]` has to be \"NAME=VALUE\"");
  EXPECT_EQ(
      said_of(fmt::format(R"({{"backend": "jaccl", "hosts": {}}})", kTwo)),
      ": `hosts[0].rdma` has to list a device for each of the 2 hosts");
}

}  // namespace
}  // namespace portwright::cli
