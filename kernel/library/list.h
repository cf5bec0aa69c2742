#pragma once

namespace osp::kernel {

// What an object derives from to be in a List; `Tag` tells several lists of one object apart.
template <typename Tag>
struct Link {
  Link* next = nullptr;  // null: in no list
  Link* previous = nullptr;

  [[nodiscard]] bool linked() const { return next != nullptr; }
};

// A doubly linked list of objects that derive from Link<Tag>. It owns none of them, and takes no locks.
template <typename T, typename Tag>
class List {
 public:
  constexpr List() : head_{&head_, &head_} {}
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  [[nodiscard]] bool empty() const { return head_.next == &head_; }
  [[nodiscard]] T* first() const { return at(head_.next); }
  [[nodiscard]] T* last() const { return at(head_.previous); }
  // The one behind or before `item`; null at the end.
  [[nodiscard]] T* after(const T& item) const { return at(static_cast<const Link<Tag>&>(item).next); }
  [[nodiscard]] T* before(const T& item) const { return at(static_cast<const Link<Tag>&>(item).previous); }

  void push_back(T& item) { insert(*head_.previous, item); }
  void push_front(T& item) { insert(head_, item); }
  void insert_after(T& where, T& item) { insert(where, item); }
  void insert_before(T& where, T& item) { insert(*static_cast<Link<Tag>&>(where).previous, item); }

  // The first item, taken out; null: the list is empty.
  T* pop_front() {
    T* item = first();
    if (item != nullptr) remove(*item);
    return item;
  }

  static void remove(T& item) {
    Link<Tag>& link = item;
    link.previous->next = link.next;
    link.next->previous = link.previous;
    link.next = nullptr;
  }

 private:
  T* at(Link<Tag>* link) const { return link == &head_ ? nullptr : static_cast<T*>(link); }

  static void insert(Link<Tag>& where, Link<Tag>& link) {
    link.previous = &where;
    link.next = where.next;
    where.next->previous = &link;
    where.next = &link;
  }

  Link<Tag> head_;
};

}  // namespace osp::kernel
