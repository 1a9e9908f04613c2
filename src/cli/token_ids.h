#pragma once

#include <mlx/mlx.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portwright::cli {

/// Rows of equal length, row-major.
struct IdTable {
  int rows = 0;
  int columns = 0;
  std::vector<int64_t> values;
};

/// "1,2;0,3" as a table. The Error says what is wrong with `option`.
base::Result<IdTable> parse_ids(
    const std::string& option,
    std::string_view text);

/// As parse_ids, of 0 and 1, and of the shape of `ids`.
base::Result<IdTable> parse_mask(
    const std::string& option,
    std::string_view text,
    const IdTable& ids);

mlx::core::array to_array(const IdTable& table);

/// The positions [from, to) of an array whose second axis they are.
mlx::core::array columns(const mlx::core::array& array, int from, int to);

}  // namespace portwright::cli
