/** What every suite shares: workspace libraries from source, and counts that `npm test` adds up. */
declare const _default: import('vite').UserConfig;
export default _default;
//# sourceMappingURL=vitest.base.d.ts.map
