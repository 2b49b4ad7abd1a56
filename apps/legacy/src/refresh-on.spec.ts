import angular from 'angular';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refreshOn } from './refresh-on';

interface Scope extends angular.IScope {
  refreshed: number;
  wanted: boolean;
}

describe('refresh-on', () => {
  let $rootScope: angular.IRootScopeService;
  let scope: Scope;

  beforeEach(() => {
    vi.useFakeTimers();
    angular.module('test', []).directive('refreshOn', refreshOn);
    const injector = angular.injector(['ng', 'test']);
    $rootScope = injector.get('$rootScope');
    scope = $rootScope.$new() as Scope;
    scope.refreshed = 0;
    scope.wanted = true;
    const html =
      '<div refresh-on="A  B" refresh-action="refreshed = refreshed + 1" refresh-if="wanted && data.id !== 2"></div>';
    injector.get('$compile')(html)(scope);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('makes one refresh of a burst, soon after it', () => {
    for (const name of ['A', 'B', 'A']) $rootScope.$emit(name, { id: 1 });
    expect(scope.refreshed).toBe(0);
    vi.advanceTimersByTime(200);
    expect(scope.refreshed).toBe(1);
    vi.advanceTimersByTime(10_000);
    expect(scope.refreshed).toBe(1);
  });

  it('is not put off for ever by a burst without end', () => {
    for (let index = 0; index < 100; index += 1) {
      $rootScope.$emit('A', { id: 1 });
      vi.advanceTimersByTime(50);
    }
    expect(scope.refreshed).toBeGreaterThanOrEqual(4);
    expect(scope.refreshed).toBeLessThanOrEqual(8);
  });

  it('is not put off for ever by a burst when the system clock steps back', () => {
    $rootScope.$emit('A', { id: 1 });
    vi.setSystemTime(Date.now() - 600_000);
    for (let index = 0; index < 20; index += 1) {
      $rootScope.$emit('A', { id: 1 });
      vi.advanceTimersByTime(50);
    }
    expect(scope.refreshed).toBeGreaterThanOrEqual(1);
  });

  it('heeds the condition, and ignores other events', () => {
    $rootScope.$emit('A', { id: 2 });
    $rootScope.$emit('C', { id: 1 });
    scope.wanted = false;
    $rootScope.$emit('A', { id: 1 });
    vi.advanceTimersByTime(1000);
    expect(scope.refreshed).toBe(0);
  });

  it('ends with its scope', () => {
    $rootScope.$emit('A', { id: 1 });
    scope.$destroy();
    $rootScope.$emit('A', { id: 1 });
    vi.advanceTimersByTime(1000);
    expect(scope.refreshed).toBe(0);
  });
});
