#include "emit/configs.h"

#include "library/model.h"

namespace portwright::emit {

eval::Value Configs::operator()(const nlohmann::json& fields) {
  const auto [it, fresh] = made_.try_emplace(fields.dump());
  if (fresh) {
    if (auto config = library::load_config(interp_, fields)) {
      it->second = std::move(*config);
    }
  }
  return it->second;
}

}  // namespace portwright::emit
