import type { ConnectionState, WebSocketService } from './websocket-service';

const views: Record<ConnectionState, { label: string; hint: string; dot: string }> = {
  idle: { label: 'Offline', hint: 'No live updates.', dot: 'bg-secondary' },
  connecting: { label: 'Connecting', hint: 'Opening the stream of live updates.', dot: 'bg-warning' },
  open: { label: 'Live', hint: 'Changes appear as they happen.', dot: 'bg-success' },
  waiting: {
    label: 'Reconnecting',
    hint: 'The stream was lost and will be reopened soon.',
    dot: 'bg-warning',
  },
  paused: { label: 'Paused', hint: 'Live updates pause while this tab is hidden.', dot: 'bg-secondary' },
  off: {
    label: 'Updates off',
    hint: 'Live updates are switched off on the server; reload to refresh.',
    dot: 'bg-secondary',
  },
  refused: { label: 'Not allowed', hint: 'This account may not receive live updates.', dot: 'bg-danger' },
};

class ConnectionStateController {
  static readonly $inject = ['websocketService'];
  constructor(private readonly websocketService: WebSocketService) {}

  get state(): ConnectionState {
    return this.websocketService.state;
  }

  get view() {
    return views[this.state];
  }
}

export const connectionState: angular.IComponentOptions = {
  controller: ConnectionStateController,
  template: `
    <span class="d-inline-flex align-items-center gap-2 text-nowrap" role="status"
      title="{{ $ctrl.view.hint }}" data-connection="{{ $ctrl.state }}">
      <span class="rounded-circle p-1" ng-class="$ctrl.view.dot" aria-hidden="true"></span>
      <span ng-bind="$ctrl.view.label"></span>
    </span>`,
};
