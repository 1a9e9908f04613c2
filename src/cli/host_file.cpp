#include "cli/host_file.h"

#include "base/paths.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kBackends[] =
    {"ring", "mpi", "nccl", "jaccl", "jaccl-ring"};

bool is_jaccl(const std::string& backend) {
  return backend.starts_with("jaccl");
}

/// What is wrong with one field, and where it stands.
struct Fault {
  std::string field;
  std::string what;
};
using Checked = tl::expected<void, Fault>;

tl::unexpected<Fault> fault(std::string field, std::string what) {
  return tl::unexpected(Fault{std::move(field), std::move(what)});
}

/// A name or address: nothing that a shell or an address would cut.
bool is_word(const json& value) {
  if (!value.is_string()) {
    return false;
  }
  const auto& text = value.get_ref<const std::string&>();
  return !text.empty() && text.front() != '-' &&
         text.find_first_of(" \t\r\n") == std::string::npos;
}

std::string at(const std::string& list, size_t index) {
  return fmt::format("{}[{}]", list, index);
}

Checked check_envs(const json& envs) {
  if (!envs.is_array()) {
    return fault("envs", "has to be a list of \"NAME=VALUE\"");
  }
  for (size_t i = 0; i < envs.size(); ++i) {
    if (!envs[i].is_string() ||
        envs[i].get_ref<const std::string&>().find('=') == std::string::npos) {
      return fault(at("envs", i), "has to be \"NAME=VALUE\"");
    }
  }
  return {};
}

Checked check_ips(
    const json& host,
    const std::string& field,
    const std::string& backend) {
  const json ips = host.value("ips", json::array());
  if (!ips.is_array()) {
    return fault(field, "has to be a list of addresses");
  }
  if (ips.empty() && backend != "mpi") {
    return fault(
        field, fmt::format("is missing: the backend {} needs it", backend));
  }
  for (size_t i = 0; i < ips.size(); ++i) {
    if (!is_word(ips[i])) {
      return fault(at(field, i), "has to be an address");
    }
  }
  return {};
}

/// For each host the device that leads to it: null, a name or several.
Checked check_rdma(
    const json& host,
    const std::string& field,
    size_t own,
    size_t hosts) {
  const json rdma = host.value("rdma", json::array());
  if (!rdma.is_array() || rdma.size() != hosts) {
    return fault(
        field,
        fmt::format("has to list a device for each of the {} hosts", hosts));
  }
  for (size_t i = 0; i < hosts; ++i) {
    if (i == own ? !rdma[i].is_null()
                 : !rdma[i].is_null() && !rdma[i].is_string() &&
                       !rdma[i].is_array()) {
      return fault(
          at(field, i),
          i == own ? "has to be null: it stands for the host itself"
                   : "has to be a device's name or null");
    }
  }
  return {};
}

Checked check_hosts(const json& hosts, const std::string& backend) {
  if (!hosts.is_array()) {
    return fault("hosts", "has to be a list");
  }
  if (hosts.size() < 2) {
    return fault(
        "hosts",
        fmt::format("has {}: a port is shared by at least two", hosts.size()));
  }
  for (size_t i = 0; i < hosts.size(); ++i) {
    const auto field = at("hosts", i);
    const auto& host = hosts[i];
    if (!host.is_object()) {
      return fault(field, "has to be an object with `ssh` and `ips`");
    }
    if (!host.contains("ssh")) {
      return fault(field + ".ssh", "is missing");
    }
    if (!is_word(host["ssh"])) {
      return fault(field + ".ssh", "has to be the name of a host");
    }
    if (auto good = check_ips(host, field + ".ips", backend); !good) {
      return good;
    }
    if (is_jaccl(backend)) {
      if (auto good = check_rdma(host, field + ".rdma", i, hosts.size());
          !good) {
        return good;
      }
    }
  }
  return {};
}

/// The backend, where the file says one that there is.
tl::expected<std::string, Fault> backend_of(const json& file) {
  if (!file.is_object() || !file.contains("backend") || file["backend"] == "") {
    return "ring";
  }
  for (const auto backend : kBackends) {
    if (file["backend"] == backend) {
      return std::string(backend);
    }
  }
  return fault(
      "backend",
      fmt::format(
          "is {}: there are {}",
          file["backend"].dump(),
          fmt::join(kBackends, ", ")));
}

tl::expected<verify::Hosts, Fault> hosts_in(const json& file) {
  if (!file.is_array() && !(file.is_object() && file.contains("hosts"))) {
    return fault("hosts", "is missing");
  }
  const auto backend = backend_of(file);
  if (!backend) {
    return tl::unexpected(backend.error());
  }
  const json& hosts = file.is_array() ? file : file["hosts"];
  if (auto good = check_hosts(hosts, *backend); !good) {
    return tl::unexpected(good.error());
  }
  if (file.is_object() && file.contains("envs")) {
    if (auto good = check_envs(file["envs"]); !good) {
      return tl::unexpected(good.error());
    }
  }
  verify::Hosts out;
  out.backend = *backend;
  out.count = static_cast<int>(hosts.size());
  return out;
}

}  // namespace

base::Result<verify::Hosts> read_host_file(const fs::path& file) {
  const auto text = base::read_file(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  json parsed;
  try {
    parsed = json::parse(*text);
  } catch (const json::parse_error& error) {
    const auto line = std::count(
        text->begin(),
        text->begin() +
            static_cast<std::ptrdiff_t>(std::min(error.byte, text->size())),
        '\n');
    return base::fail(
        fmt::format("{}:{}: this is not JSON", file.string(), line + 1),
        "mlx.distributed_config writes such a file");
  }
  auto out = hosts_in(parsed);
  if (!out) {
    return base::fail(
        fmt::format(
            "{}: `{}` {}", file.string(), out.error().field, out.error().what),
        "{\"hosts\": [{\"ssh\": NAME, \"ips\": [ADDRESS]}, ...]} is what "
        "mlx.launch reads");
  }
  out->file = fs::absolute(file).lexically_normal();
  return std::move(*out);
}

}  // namespace portwright::cli
