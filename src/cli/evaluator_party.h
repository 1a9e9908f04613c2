#pragma once

#include <filesystem>
#include <memory>

#include "base/paths.h"
#include "verify/party.h"

namespace portwright::cli {

/// Our evaluator as the third opinion of the battery: it runs the source
/// itself over MLX. The model is built and loaded at the first run.
class EvaluatorParty : public verify::Party {
 public:
  EvaluatorParty(
      std::filesystem::path checkpoint,
      std::filesystem::path transformers);
  ~EvaluatorParty() override;

  const std::string& name() const override;
  /// Logits alone; pieces and captures are not served.
  verify::Outcome<verify::Run> run(const verify::RunRequest& request) override;

 private:
  struct Loaded;
  verify::Outcome<Loaded*> loaded();
  std::filesystem::path checkpoint_, transformers_;
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace portwright::cli
