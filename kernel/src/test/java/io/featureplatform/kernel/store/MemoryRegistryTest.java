package io.featureplatform.kernel.store;

class MemoryRegistryTest extends RegistryContract {
  private final MemoryRegistry registry = new MemoryRegistry(OURS);

  @Override
  Registry registry() {
    return registry;
  }

  @Override
  void setOwner(String owner) {
    registry.setOwner(owner);
  }
}
