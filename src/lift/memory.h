#pragma once

#include <any>
#include <map>
#include <string>
#include <unordered_map>

#include "eval/objects.h"
#include "trace/twin.h"

namespace portwright::lift {

using trace::Trace;
using trace::ValueId;

/// What proofs came to, by the text of what they were about: the layers of a
/// model repeat a form, which is proven once. The interpreter keeps it.
class Memory : public eval::Object {
 public:
  Memory() : Object(eval::Kind::Opaque) {}
  static Memory& of(eval::Interpreter& interp);

  /// What `prove` answered to the same text. `T` goes with the text.
  template <typename T, typename Prove>
  T once(const std::string& text, const Prove& prove) {
    if (const auto it = known_.find(text); it != known_.end()) {
      return std::any_cast<T>(it->second);
    }
    T answer = prove();
    known_.insert_or_assign(text, answer);
    return answer;
  }

  /// A name of the object that no other will ever have.
  std::string name(eval::Object* object);
  void clear() override;

 private:
  std::unordered_map<std::string, std::any> known_;
  std::unordered_map<const eval::Object*, eval::Value> named_;
};

/// Which places of a form are given, under labels of its own.
using Labels = std::map<ValueId, std::string>;

/// The operations that lead from what is given to `output`, shapes and
/// constants included: forms of one text compute the same of the same arrays.
std::string form_text(
    Memory& memory,
    const Trace& trace,
    const Labels& given,
    ValueId output);

/// The same of both recordings; `half` may be null.
std::string form_text(
    Memory& memory,
    const Trace& trace,
    const trace::Twin* half,
    const Labels& given,
    ValueId output);

/// Class, attributes and the shapes of the parameters: modules of one text
/// compute the same with the same parameters.
std::string module_text(Memory& memory, const eval::Value& module);

}  // namespace portwright::lift
