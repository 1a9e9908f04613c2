#include "library/capture.h"

#include "library/guarded.h"
#include "torch/torch.h"

namespace portwright::library {

using eval::Value;

Evaluated<Capture> Capture::start(
    eval::Interpreter& interp,
    const Value& model,
    const std::string& pattern,
    bool steps) {
  return guarded(interp, [&] {
    const Value module{interp.import_module("portwright.capturing")};
    return Capture(
        interp,
        interp.call(
            interp.getattr(module, "Capture"),
            {model, eval::str(pattern), Value::boolean(steps)}));
  });
}

Evaluated<std::vector<CapturedTensor>> Capture::tensors() {
  return guarded(*interp_, [&] {
    std::vector<CapturedTensor> out;
    const Value tensors = interp_->getattr(capture_, "tensors");
    interp_->for_each(tensors, [&](const Value& key) {
      const Value value = interp_->getitem(tensors, key);
      const auto* tensor = torch::as_tensor(value);
      PW_CHECK(tensor, "a capture holds tensors");
      out.push_back({key.str(), torch::array_of(*tensor), tensor->dtype});
      mx::eval(out.back().array);
    });
    return out;
  });
}

Evaluated<void> Capture::stop() {
  const auto stopped =
      guarded(*interp_, [&] { return interp_->call_method(capture_, "stop"); });
  if (!stopped) {
    return tl::unexpected(stopped.error());
  }
  return {};
}

}  // namespace portwright::library
