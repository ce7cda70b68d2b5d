package io.featureplatform.kernel.store;

class MemoryRegistryTest extends RegistryContract {
  private final MemoryRegistry registry = new MemoryRegistry(OURS);

  @Override
  protected Registry registry() {
    return registry;
  }

  @Override
  protected void setOwner(String owner) {
    registry.setOwner(owner);
  }

  @Override
  protected void setWatch(Watch watch) {
    registry.setWatch(watch);
  }
}
