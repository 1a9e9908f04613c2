#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/symbol.h"
#include "eval/provenance.h"

namespace portwright::eval {

using base::Symbol;

class Class;
class Interpreter;
class AttrMap;

/// What an Object is in C++. Python's own notion of type is `Object::cls`,
/// which may be a subclass written in Python (a dict subclass is a Dict whose
/// cls is not the builtin dict).
enum class Kind : uint8_t {
  Str,
  Bytes,
  List,
  Tuple,
  Dict,
  Set,
  Slice,
  Range,
  Iterator,
  Function,
  Native,
  BoundMethod,
  Class,
  Instance,
  Module,
  Property,
  StaticMethod,
  ClassMethod,
  Super,
  Cell,
  Lazy,
  Tensor,
  Opaque,
};

/// A reference-counted Python object. The interpreter lists all its objects,
/// so that reference cycles are freed with it.
class Object {
 public:
  /// A null `cls` takes the builtin class of the kind.
  explicit Object(Kind kind, Class* cls = nullptr);
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object();

  /// Drops every reference this object holds (used to break cycles).
  virtual void clear();

  Kind kind;
  /// Scalars read from its attributes get Config provenance; the path of the
  /// object below the model's config is with the interpreter.
  bool is_config = false;
  Class* cls;  // kept alive by the interpreter
  /// Instance attributes; null until the first is set.
  AttrMap* attrs = nullptr;

  void retain() {
    ++references_;
  }
  void release() {
    if (--references_ == 0) {
      delete this;
    }
  }

 private:
  friend class ObjectList;
  uint32_t references_ = 0;
  class ObjectList* list_ = nullptr;
  Object* previous_ = nullptr;
  Object* next_ = nullptr;
};

/// An owning pointer to an Object.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(T* object) : object_(object) {
    if (object_) {
      object_->retain();
    }
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
  Ref(const Ref<U>& other) : Ref(static_cast<T*>(other.get())) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) {
      object_->release();
    }
  }
  T* get() const {
    return object_;
  }
  T* operator->() const {
    return object_;
  }
  T& operator*() const {
    return *object_;
  }
  explicit operator bool() const {
    return object_ != nullptr;
  }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

enum class Tag : uint8_t {
  Undefined,  // an unbound variable, an argument that was not given
  None,
  Bool,
  Int,
  Float,
  Ellipsis,
  NotImplemented,
  Object,
};

/// Any Python value: scalars inline, the rest by reference. Scalars, None,
/// strings and lists may carry where they came from.
class Value {
 public:
  Value() = default;
  Value(const Value& other)
      : tag_(other.tag_),
        payload_(other.payload_),
        provenance_(other.provenance_) {
    if (tag_ == Tag::Object) {
      payload_.object->retain();
    }
  }
  Value(Value&& other) noexcept
      : tag_(std::exchange(other.tag_, Tag::Undefined)),
        payload_(other.payload_),
        provenance_(other.provenance_) {}
  Value& operator=(Value other) noexcept {
    std::swap(tag_, other.tag_);
    std::swap(payload_, other.payload_);
    std::swap(provenance_, other.provenance_);
    return *this;
  }
  ~Value() {
    if (tag_ == Tag::Object) {
      payload_.object->release();
    }
  }

  template <typename T>
  Value(const Ref<T>& object) : Value(static_cast<Object*>(object.get())) {}
  explicit Value(Object* object) : tag_(Tag::Object) {
    payload_.object = object;
    object->retain();
  }

  static Value none() {
    return Value(Tag::None);
  }
  static Value ellipsis() {
    return Value(Tag::Ellipsis);
  }
  static Value not_implemented() {
    return Value(Tag::NotImplemented);
  }
  static Value boolean(bool b) {
    Value v(Tag::Bool);
    v.payload_.boolean = b;
    return v;
  }
  static Value integer(int64_t i) {
    Value v(Tag::Int);
    v.payload_.integer = i;
    return v;
  }
  static Value real(double f) {
    Value v(Tag::Float);
    v.payload_.real = f;
    return v;
  }

  Tag tag() const {
    return tag_;
  }
  bool defined() const {
    return tag_ != Tag::Undefined;
  }
  bool is_none() const {
    return tag_ == Tag::None;
  }
  bool is_bool() const {
    return tag_ == Tag::Bool;
  }
  bool is_int() const {
    return tag_ == Tag::Int;
  }
  bool is_float() const {
    return tag_ == Tag::Float;
  }
  bool is_object() const {
    return tag_ == Tag::Object;
  }
  bool is(Kind kind) const {
    return tag_ == Tag::Object && payload_.object->kind == kind;
  }
  bool is_str() const {
    return is(Kind::Str);
  }
  /// Bool or int, as Python's int accepts.
  bool is_integral() const {
    return tag_ == Tag::Int || tag_ == Tag::Bool;
  }
  bool is_number() const {
    return is_integral() || tag_ == Tag::Float;
  }

  bool as_bool() const {
    return payload_.boolean;
  }
  /// Int or bool.
  int64_t as_int() const {
    return tag_ == Tag::Bool ? payload_.boolean : payload_.integer;
  }
  /// Float, int or bool.
  double as_double() const {
    return tag_ == Tag::Float ? payload_.real : static_cast<double>(as_int());
  }
  Object* object() const {
    return payload_.object;
  }
  template <typename T>
  T* get() const {
    return static_cast<T*>(payload_.object);
  }
  /// The text of a Str.
  const std::string& str() const;

  const Provenance* provenance() const {
    return provenance_;
  }
  Value with(const Provenance* provenance) const {
    Value v = *this;
    v.provenance_ = provenance;
    return v;
  }

  /// Python's `is`.
  bool same(const Value& other) const;

 private:
  explicit Value(Tag tag) : tag_(tag) {}

  Tag tag_ = Tag::Undefined;
  union {
    bool boolean;
    int64_t integer;
    double real;
    Object* object;
  } payload_{};
  const Provenance* provenance_ = nullptr;
};

}  // namespace portwright::eval
