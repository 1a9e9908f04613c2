#pragma once

#include <filesystem>

#include "base/result.h"
#include "verify/session.h"

namespace portwright::cli {

/// Reads the hosts of `mlx.launch --hostfile`: an object with `hosts`, and
/// maybe `backend` and `envs`, or the list of hosts alone. The Error names the
/// field at fault.
base::Result<verify::Hosts> read_host_file(const std::filesystem::path& file);

}  // namespace portwright::cli
